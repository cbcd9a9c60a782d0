"""Exports a Colorizer for TensorFlow Serving and other runtimes."""

from tfdivcolor.export.onnx.core import noise
from tfdivcolor.export.writer import BATCHING, CONTRACT, save, version_path

__all__ = ["BATCHING", "CONTRACT", "noise", "save", "version_path"]
