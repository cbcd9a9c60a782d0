"""What TensorFlow's errors say, in one line."""

import re


def reason(error):
    """The first line of an error, without the names of graph nodes around it.

    Args:
        error: Exception, TensorFlow's or any other.

    Returns:
        str.
    """
    text = getattr(error, "message", None) or str(error)
    text = re.sub(r"\{\{.*?\}\} |\[Op:\w+\]", "", text)
    return text.strip().partition("\n")[0].strip()
