"""Files that any decoder shows right: one that knows no profiles, no EXIF."""

from typing import BinaryIO

from tfdivcolor.images import exif, formats, profiles
from tfdivcolor.images.decoding import jpeg, pillow, png

# Formats that the exported model decodes.
_FORMATS = ("JPEG", "PNG", "WEBP")


def is_plain(file: BinaryIO) -> bool:
    """Whether decoding alone, and no more, gives the picture as it is shown.

    That is so for sRGB pictures that are upright, of kinds that TensorFlow
    decodes.  Only the header is looked at, except for a PNG, whose EXIF block
    may stand behind the pixels.

    Args:
        file: binary file that can seek.

    Returns:
        bool. True only for JPEG, PNG and WebP; False also for damaged files.
    """
    try:
        image, image_format = formats.open_image(file, "image")
        if image_format not in _FORMATS:
            return False
        # TensorFlow rounds CMYK in another way.
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
    except Exception:  # of almost any kind; whoever reads it says which
        return False
