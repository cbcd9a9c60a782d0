"""Code that several packages share: files, errors, messages, arguments."""
