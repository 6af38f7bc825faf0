"""Answers of arbitrary bytes from either server, and the code that reads them."""
