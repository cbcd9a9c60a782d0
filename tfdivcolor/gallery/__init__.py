"""One page of finished results to look at and choose from, offline."""

from tfdivcolor.gallery.page import Gallery, is_page, write

__all__ = ["Gallery", "is_page", "write"]
