"""Tables as people read them in a terminal: a description for each, and one engine for all."""
