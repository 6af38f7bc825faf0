"""The credential cache: one value per request, shared by the process, refreshed in the background.

`state` decides what a caller gets; `cache` does what was decided. Imports no module of a cloud.
"""
