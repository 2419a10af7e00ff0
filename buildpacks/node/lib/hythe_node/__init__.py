"""Hythe's Node.js buildpack. Runs in the build image, on the standard library only."""
