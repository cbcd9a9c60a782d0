"""Errors of one line, and what other libraries' errors say in one line."""

import re


class ImageError(ValueError):
    """A picture or a file cannot be read or written; the message is one line.

    Bytes of file names that are not UTF-8 are shown as escapes, so that the
    message can be printed anywhere.
    """

    def __init__(self, message: str):
        message = message.encode("utf-8", "backslashreplace").decode()
        super().__init__(" ".join(message.splitlines()))


def reason(error: BaseException) -> str:
    """What an exception says, in one line, for the end of a message.

    Args:
        error: Exception. Of an `OSError` only the reason is taken, without
            its number and path; of TensorFlow's errors the first line,
            without the names of graph nodes.

    Returns:
        str. The class's name where the exception says nothing.
    """
    text = getattr(error, "strerror", None)
    if not text and hasattr(error, "error_code"):  # a tf.errors.OpError
        message = getattr(error, "message", "")
        text = re.sub(r"\{\{.*?\}\} | ?\[Op:.*", "", message)
        text = text.strip().partition("\n")[0]
    return " ".join((text or str(error)).split()) or type(error).__name__
