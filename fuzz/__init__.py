"""Fuzzing of the router's parsers."""
