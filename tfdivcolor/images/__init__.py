"""Image files to pixels and back, without TensorFlow.

`photo` reads one picture: `sources` opens what is given, `decoding` gives the
pixels as they are stored, and `srgb` converts them by `profiles`.  `encoding`
writes one.  `formats` knows which there are, `exif` the camera's words, `xmp`
our own, and `finding` lists the pictures of folders.
"""

from tfdivcolor.images.encoding import encode, write_png
from tfdivcolor.images.finding import find, is_picture, names_in
from tfdivcolor.images.formats import FORMATS, SUFFIXES
from tfdivcolor.images.photo import Photo, count_pages, mid_grey, read
from tfdivcolor.images.plain import is_plain
from tfdivcolor.images.sources import Picture
from tfdivcolor.images.xmp import read_metadata
from tfdivcolor.utils.errors import ImageError

__all__ = [
    "FORMATS", "SUFFIXES", "ImageError", "Photo", "Picture", "count_pages",
    "encode", "find", "is_picture", "is_plain", "mid_grey", "names_in",
    "read", "read_metadata", "write_png",
]
