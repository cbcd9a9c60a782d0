"""Griffe extension: shows code under "Example:" in docstrings as code."""

import re

import griffe

_EXAMPLE = re.compile(r"^Examples?:\n((?:[ ]{4}.*\n?|\n)+)", re.M)


def as_code(docstring):
    """The docstring, with the code of its examples fenced."""
    def fenced(match):
        body = match[1].rstrip("\n")
        if ">>>" in body or "```" in body:
            return match[0]
        return f"Example:\n    ```python\n{body}\n    ```\n"
    return _EXAMPLE.sub(fenced, docstring)


class Examples(griffe.Extension):
    """Fences the examples of every object."""

    def on_instance(self, *, obj, **_):
        if obj.docstring:
            obj.docstring.value = as_code(obj.docstring.value)
