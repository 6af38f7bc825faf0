"""Pictures of the documentation: `python -m tests.figures` draws them from measured data.

The data is in docs/figures/data, with the command and the versions that measured it; `--measure`
measures again. Each picture is drawn twice, for light and for dark pages.
"""
