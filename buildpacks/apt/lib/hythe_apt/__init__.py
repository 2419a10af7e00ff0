"""Hythe's buildpack for Debian packages. Runs in the build image, on the standard library only."""
