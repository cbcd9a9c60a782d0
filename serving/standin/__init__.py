"""A stand-in for TensorFlow Serving, for development and tests."""

from serving.standin.server import Standin, main, start

__all__ = ["Standin", "main", "start"]
