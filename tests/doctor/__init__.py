"""Faulty set-ups, a directory each, and the cause that `gcp-aws-bridge doctor` must report.

`cases/NAME/README.md` describes the fault; `cases/NAME/case.py` puts it into a working set-up of
`pod` or `workload`, and has the id of the cause. `table` reads both, and `python -m tests.doctor`
writes the tables of docs/reference/doctor.md.
"""
