"""The credential cache: one value per request, shared by the process, refreshed in the background.

`state` decides what a caller gets; `cache` carries out the decision. Imports no cloud's modules.
"""
