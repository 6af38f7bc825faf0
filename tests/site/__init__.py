"""The page of the command line, which `python -m tests.site` writes, and the site in a browser."""
