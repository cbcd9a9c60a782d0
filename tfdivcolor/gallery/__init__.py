"""A page to view finished results and choose among them, offline."""

from tfdivcolor.gallery.page import Gallery, is_page, write

__all__ = ["Gallery", "is_page", "write"]
