"""What becomes of each fault of each server: a table, and what runs its caches.

`matrix` is the table as data, `drive` runs one cache, `test_matrix` all of them, and
`python -m tests.faults` writes docs/reference/faults.md from the same table.
"""
