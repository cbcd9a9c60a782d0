"""Loads a server with requests and reports what it answers."""

from serving.load_test.command import main

__all__ = ["main"]
