"""The pictures of the documentation: `python -m tests.figures` draws them from measured data.

What was measured lies in docs/figures/data, with the command and the versions that measured it;
`--measure` measures anew. Each picture is drawn twice, for light and for dark pages.
"""
