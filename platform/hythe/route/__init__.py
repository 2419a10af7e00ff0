"""The data plane: one master, worker processes on uvloop, and a table that it is given.

Nothing here reads the database or the settings: a router knows its options and its route table.
"""
