"""Tables as people read them: printed and drawn. Reads rows, never measures."""
