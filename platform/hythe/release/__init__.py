"""Stage three: an image, a config snapshot and processes become an immutable release.

`stage` takes deployments from built to rolling; `changes` inserts deployments that need no build.
"""
