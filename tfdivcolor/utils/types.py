"""Type names of TensorFlow's objects for annotations.

The types of TensorFlow and TensorFlow Probability are too incomplete for a type
checker (no `x[..., None]`, no known static shapes). Annotations therefore only
name tensors; docstrings give dtype and shape.
"""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any
Distribution: TypeAlias = Any
