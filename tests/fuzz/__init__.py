"""Answers of any bytes at all, from either server, through the code that reads them."""
