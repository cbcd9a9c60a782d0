"""Image files to pixels and back, without TensorFlow.

`photo` reads one picture and `encoding` writes one.  Between them stand
`formats`, which opens files, `channels`, which makes sRGB of what is stored,
`png` and `tiff` for what Pillow does not do in 16 bits, `profiles` for ICC,
`exif` for the camera's words and `xmp` for our own.  `finding` lists the
pictures of folders.
"""

from tfdivcolor.images.encoding import encode, write_png
from tfdivcolor.images.finding import find, is_picture, names_in
from tfdivcolor.images.formats import FORMATS, SUFFIXES
from tfdivcolor.images.photo import Photo, Picture, read
from tfdivcolor.images.xmp import read_metadata
from tfdivcolor.utils.errors import ImageError

__all__ = [
    "FORMATS", "SUFFIXES", "ImageError", "Photo", "Picture", "encode", "find",
    "is_picture", "names_in", "read", "read_metadata", "write_png",
]
