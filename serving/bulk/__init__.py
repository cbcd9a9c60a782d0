"""Colourises millions of photographs with Apache Beam."""

from serving.bulk.command import main

__all__ = ["main"]
