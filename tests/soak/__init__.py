"""A day of one process: eight threads that read credentials without a pause, and random faults."""
