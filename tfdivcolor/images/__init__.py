"""Image files to pixels and back, without TensorFlow.

`photo` reads one picture, with what `formats`, `channels`, `profiles` and
`exif` know of files; `finding` lists the pictures of folders; `encoding` writes
image files, with `xmp` for our own words in them.
"""

from tfdivcolor.images.encoding import encode, write_png
from tfdivcolor.images.finding import find, is_picture, names_in
from tfdivcolor.images.formats import FORMATS, SUFFIXES
from tfdivcolor.images.photo import Photo, read
from tfdivcolor.images.xmp import read_metadata
from tfdivcolor.utils.errors import ImageError

__all__ = [
    "FORMATS", "SUFFIXES", "ImageError", "Photo", "encode", "find",
    "is_picture", "names_in", "read", "read_metadata", "write_png",
]
