"""The command line: a client of the API, and of nothing else.

It starts often and must start fast, so what is slow (Rich, tarfile) is imported where it is used.
"""
