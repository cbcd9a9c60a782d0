"""Errors of one line, and one-line reasons of other libraries' errors."""

import re


class ImageError(ValueError):
    """A picture or a file is unreadable or unwritable; one line of message.

    Bytes of file names that are not UTF-8 appear as escapes, so that every
    terminal can print the message.
    """

    def __init__(self, message: str):
        message = message.encode("utf-8", "backslashreplace").decode()
        super().__init__(" ".join(message.splitlines()))


def reason(error: BaseException) -> str:
    """Reduces an exception to one line, for the end of a message.

    Args:
        error: Exception. For an `OSError`, only the reason, without number and
            path; for TensorFlow's errors, the first line without the names of
            graph nodes.

    Returns:
        str. The name of the class if the exception has no text.
    """
    text = getattr(error, "strerror", None)
    if not text and hasattr(error, "error_code"):  # a tf.errors.OpError
        message = getattr(error, "message", "")
        text = re.sub(r"\{\{.*?\}\} | ?\[Op:.*", "", message)
        text = text.strip().partition("\n")[0]
    return " ".join((text or str(error)).split()) or type(error).__name__
