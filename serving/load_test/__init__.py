"""Loads a server with requests and reports its answers."""

from serving.load_test.command import main

__all__ = ["main"]
