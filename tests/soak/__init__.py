"""A day of one process, eight threads that never stop asking, clouds that fail at random."""
