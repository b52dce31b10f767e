"""Draw the few kinds of picture that ``report/pictures`` describes: each has ``draw``."""
