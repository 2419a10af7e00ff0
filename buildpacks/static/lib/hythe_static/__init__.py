"""Hythe's buildpack for static sites. Runs in the build image, on the standard library only."""
