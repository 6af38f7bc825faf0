"""Broken set-ups, a directory each, and what `gcp-aws-bridge doctor` must say of them first.

`cases/NAME/README.md` says what is wrong, `cases/NAME/case.py` what the emulator or the environment
was told and what must be named; `table` reads them, `pod` is what they are told with, and
`python -m tests.doctor` writes the table of docs/reference/doctor.md.
"""
