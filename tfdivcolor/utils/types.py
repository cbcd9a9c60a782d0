"""Names for annotations of TensorFlow's objects.

TensorFlow's and TensorFlow Probability's own types are not complete enough for
a type checker (no `x[..., None]`, no known static shapes), so tensors are
annotated by name; docstrings give dtype and shape.
"""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any
Distribution: TypeAlias = Any
