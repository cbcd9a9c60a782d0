"""Reads and writes image files, without TensorFlow.

`photo` reads one picture: `sources` opens it, `decoding` returns the stored
pixels, and `srgb` converts them with `profiles`.  `encoding` writes a picture.
`formats` lists the formats, `exif` carries over what the camera wrote, `xmp`
holds our own metadata, and `finding` lists the pictures of folders.
"""

from tfdivcolor.images.encoding import encode, write_png
from tfdivcolor.images.finding import find, is_picture, names_in
from tfdivcolor.images.formats import FORMATS, SUFFIXES
from tfdivcolor.images.photo import (
    Photo,
    count_pages,
    mid_grey,
    read,
    read_back,
)
from tfdivcolor.images.plain import is_plain
from tfdivcolor.images.sources import Picture
from tfdivcolor.images.xmp import read_metadata
from tfdivcolor.utils.errors import ImageError

__all__ = [
    "FORMATS", "SUFFIXES", "ImageError", "Photo", "Picture", "count_pages",
    "encode", "find", "is_picture", "is_plain", "mid_grey", "names_in",
    "read", "read_back", "read_metadata", "write_png",
]
