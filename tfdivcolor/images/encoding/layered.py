"""Layered files: the grey picture below, its colours above, as PSD.

The upper layer has the blend mode "Color": an editor takes hue and saturation
from it and brightness from the layer below, so that retouching the grey
picture, or erasing colours, goes on without this program.  An editor's
brightness is luma, not CIE L*; what it shows differs a little from a result
where colours are strong, while the layer itself is the result.
"""

import io
import struct

import numpy as np

from tfdivcolor.images.profiles import SRGB
from tfdivcolor.utils.errors import ImageError

MAX_SIDE = 30_000  # pixels, of the format
_INCH = 1 << 16  # resolutions are fixed-point numbers


def encode(grey: np.ndarray, colored: np.ndarray,
           alpha: np.ndarray | None = None,
           dpi: tuple[float, float] | None = None) -> bytes:
    """Makes a PSD file of two layers.

    It has an sRGB profile, and the coloured picture as its flat preview.

    Args:
        grey: uint8 or uint16 [H, W, 3]. sRGB, without colour.
        colored: the same type and shape. The result.
        alpha: the same type [H, W], of both layers. Defaults to none.
        dpi: pair of numbers above 0, pixels an inch across and down, or None.

    Returns:
        bytes, in the pictures' own depth.

    Raises:
        ImageError: if a side has more than `MAX_SIDE` pixels.
        ImportError: if psd-tools is not installed (extra [studio]).
    """
    # psd-tools takes half a second to import, and is in an extra.
    from psd_tools import PSDImage
    from psd_tools.constants import BlendMode, ColorMode, Compression, Resource
    from psd_tools.psd import PSD
    from psd_tools.psd.image_data import ImageData
    from psd_tools.psd.header import FileHeader
    from psd_tools.psd.image_resources import ImageResource, ImageResources

    height, width, _ = colored.shape
    if max(height, width) > MAX_SIDE:
        raise ImageError(
            f"PSD: must have sides of at most {MAX_SIDE} pixels "
            f"(received {width} x {height})")
    depth = 8 * colored.dtype.itemsize
    header = FileHeader(channels=3, height=height, width=width, depth=depth,
                        color_mode=ColorMode.RGB)
    record = PSD(header=header, image_data=ImageData.new(header),
                 image_resources=ImageResources.new())
    resources = {Resource.ICC_PROFILE: SRGB}
    if dpi:
        across, down = (round(value * _INCH) for value in dpi)
        resources[Resource.RESOLUTION_INFO] = struct.pack(
            ">IHHIHH", across, 1, 1, down, 1, 1)
    for key, data in resources.items():
        record.image_resources[key] = ImageResource(key=key, data=data)
    document = PSDImage(record)
    # PackBits gains nothing on 16 bits.
    compression = Compression.RLE if depth == 8 else Compression.ZIP
    for name, pixels, mode in (("Grey", grey, BlendMode.NORMAL),
                               ("Colour", colored, BlendMode.COLOR)):
        if alpha is not None:
            pixels = np.concatenate([pixels, alpha[..., np.newaxis]], axis=-1)
        document.create_pixel_layer_from_array(
            pixels, name=name, compression=compression, blend_mode=mode)
    record.image_data.compression = Compression.RLE
    planes = np.moveaxis(colored, -1, 0).astype(
        colored.dtype.newbyteorder(">"))
    record.image_data.set_data([plane.tobytes() for plane in planes], header)
    file = io.BytesIO()
    record.write(file)
    return file.getvalue()
