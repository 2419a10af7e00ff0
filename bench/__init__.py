"""Benchmarks. Every figure is measured on a whole installation of its own, started by bin/up."""
