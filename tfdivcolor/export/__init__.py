"""Exports a Colorizer for TensorFlow Serving and other runtimes."""

from tfdivcolor.export.writer import BATCHING, CONTRACT, save, version_path

__all__ = ["BATCHING", "CONTRACT", "save", "version_path"]
