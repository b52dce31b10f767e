"""One configuration measured: model × method × meters, and a row comes out."""
