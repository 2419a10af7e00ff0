"""Hythe's Python buildpack. Runs in the build image, on the standard library only."""
