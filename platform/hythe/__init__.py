"""Hythe: a self-hosted mini PaaS."""

__version__ = "0.1.0"
