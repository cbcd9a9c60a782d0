"""Files that a decoder without profiles and EXIF shows correctly."""

from typing import BinaryIO

from tfdivcolor.images import exif, formats, profiles
from tfdivcolor.images.decoding import jpeg, pillow, png

# Formats that the exported model decodes without help.
_FORMATS = ("JPEG", "PNG", "WEBP")


def is_plain(file: BinaryIO) -> bool:
    """Whether decoding alone gives the picture as it is shown.

    This holds for upright sRGB pictures of kinds that TensorFlow decodes.  The
    function reads only the header, except for PNG, where the EXIF block may
    follow the pixels.

    Args:
        file: binary file that can seek.

    Returns:
        bool. True only for JPEG, PNG and WebP; False for damaged files.
    """
    try:
        image, image_format = formats.open_image(file, "image")
        if image_format not in _FORMATS:
            return False
        # TensorFlow rounds CMYK differently.
        if image_format == "JPEG" and (
                image.mode == "CMYK" or not jpeg.is_common(file)):
            return False
        if image_format == "WEBP" and (
                image.mode != "RGB" or pillow.count_frames(image) > 1):
            return False
        profile = image.info.get("icc_profile")
        if image_format == "PNG":
            file.seek(0)
            data, notes = file.read(), []
            png.add_exif(image, data)
            profile = png.color_space(data, notes)
            if notes:
                return False
        found = exif.of_image(image)
        if not profile and found and exif.is_adobe_rgb(found[1]):
            return False
        return (not 2 <= (exif.orientation(image) or 1) <= 8
                and profiles.is_srgb(profile))
    except Exception:  # of almost any kind; the reader of the file reports it
        return False
