"""The command `tfdivcolor`; `common` holds what other programs share."""

from tfdivcolor.cli.command import main

__all__ = ["main"]
