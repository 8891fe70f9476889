"""Examples: each runs as it is with a connection ``m3ter_default``."""
