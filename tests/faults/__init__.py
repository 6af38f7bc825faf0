"""The effect of each fault of each server: a table, and tests for each of its cases.

`matrix` is the table as data, `drive` runs one case, `test_matrix` runs all, and
`python -m tests.faults` writes docs/reference/faults.md from the same table.
"""
