"""Layered files for picture editors: colours apart from the photograph.

A PSD file holds the grey photograph, unchanged, and above it the colouring in
blend mode Color.  Programs without layers show the colouring; editors blend
the layers to nearly the same.  On five photographs the mean difference was
0.02 to 0.2 L* (maximum 1) in GIMP 2.10, which blends in CIE LCh, and 0.1 to
0.7 (maximum 4, at colours of twice their chroma) in Krita 5.1 and with
Photoshop's formula, which keep another measure of brightness.
"""

import io
import struct

import numpy as np

from tfdivcolor.images.decoding.stored import to_8_bits
from tfdivcolor.images.formats import check_sides
from tfdivcolor.images.profiles import SRGB
from tfdivcolor.utils.errors import ImageError

GREY, COLOUR = "Grey", "Colour"  # names of the layers


def encode(grey: np.ndarray, colored: np.ndarray,
           alpha: np.ndarray | None = None,
           dpi: tuple[float, float] | None = None,
           exif: bytes | None = None) -> bytes:
    """Makes a PSD file of two layers with 8 bits per channel.

    Editors disagree where a PSD file of 16 bits keeps its layers, so there is
    none here; TIFF holds 16 bits.

    Args:
        grey: uint8 or uint16 [H, W, 3], sRGB. The photograph without colour.
        colored: the same in colour. 16 bits are reduced to 8.
        alpha: uint8 or uint16 [H, W]. Opacity of both layers; the upper layer
            then is a clipping mask. Defaults to None.
        dpi: pair of numbers above 0, pixels per inch across and down, or None.
            Defaults to None.
        exif: bytes, as in `images.Photo`, or None. Defaults to None.

    Returns:
        bytes. The same arguments give the same bytes.

    Raises:
        ImageError: if a side has more than 30,000 pixels, or if psd-tools is
            not installed.
    """
    height, width, _ = grey.shape
    check_sides("pixels", "PSD", width, height)
    try:
        from psd_tools.constants import BlendMode, Clipping, Compression
        from psd_tools.psd import PSD, layer_and_mask as layers
        from psd_tools.psd.header import FileHeader
        from psd_tools.psd.image_data import ImageData
    except ImportError as error:
        raise ImageError(
            "PSD: needs psd-tools, pip install 'tfdivcolor[studio]' "
            "(received no psd_tools)") from error

    grey, colored = _8_bits(grey), _8_bits(colored)
    opacity = b"\xff" * (width * height)
    if alpha is not None:
        alpha = _8_bits(alpha)
        opacity = alpha.tobytes()
    # Clipped to the layer below, the upper layer adds no opacity. Krita ignores
    # the clipping, so the layer also has its own opacity. GIMP turns clipped
    # layers into a group, so only pictures with alpha get them.
    bound = Clipping.BASE if alpha is None else Clipping.NON_BASE
    made = [
        _layer(width, height, pixels, opacity, name=name, blend_mode=mode,
               clipping=clipping)
        for name, pixels, mode, clipping in (
            (GREY, grey, BlendMode.NORMAL, Clipping.BASE),
            (COLOUR, colored, BlendMode.COLOR, bound))]
    records, images = zip(*made)
    header, planes = FileHeader(width=width, height=height, channels=3), []
    if alpha is not None:
        header.channels, planes = 4, [opacity]
        colored = _on_white(colored, alpha)
    whole = ImageData(Compression.RLE)
    whole.set_data([*_planes(colored), *planes], header)
    file = io.BytesIO()
    PSD(header=header, image_data=whole, image_resources=_resources(dpi, exif),
        layer_and_mask_information=layers.LayerAndMaskInformation(
            layers.LayerInfo(
                # Negative: the fourth channel of the whole is its opacity.
                2 if alpha is None else -2, layers.LayerRecords(records),
                layers.ChannelImageData(images)))).write(file)
    return file.getvalue()


def _layer(width, height, pixels, opacity, **options):
    """Makes a layer of the picture's size: its record and its channels."""
    from psd_tools.constants import ChannelID, Compression
    from psd_tools.psd import layer_and_mask as layers

    record = layers.LayerRecord(bottom=height, right=width, **options)
    channels = layers.ChannelDataList()
    for number, plane in enumerate([opacity, *_planes(pixels)], -1):
        channel = layers.ChannelData(Compression.RLE)
        channel.set_data(plane, width, height, 8)
        record.channel_info.append(layers.ChannelInfo(
            ChannelID(number), len(channel.data) + 2))  # -1: opacity
        channels.append(channel)
    return record, channels


def _planes(pixels):
    return [np.ascontiguousarray(plane).tobytes()
            for plane in np.moveaxis(pixels, -1, 0)]


def _on_white(pixels, alpha):
    """Blends with white, as the format requires: uint8 [H, W, 3]."""
    shown = np.empty_like(pixels)
    for row in range(len(shown)):  # to save memory
        share = alpha[row, :, None] / 255.0
        shown[row] = np.round(share * pixels[row] + (1.0 - share) * 255.0)
    return shown


def _8_bits(values):
    return values if values.dtype == np.uint8 else to_8_bits(values)


def _resources(dpi, exif):
    """Makes the resources: profile, resolution and EXIF."""
    from psd_tools.constants import Resource
    from psd_tools.psd.image_resources import ImageResource, ImageResources

    found = {Resource.ICC_PROFILE: SRGB}
    if dpi:
        # 16 bits of whole pixels per inch and 16 bits of fraction.
        across, down = (min(round(number * 65536), 2**32 - 1)
                        for number in dpi)
        found[Resource.RESOLUTION_INFO] = struct.pack(
            ">I2HI2H", across, 1, 1, down, 1, 1)
    if exif:
        found[Resource.EXIF_DATA_1] = exif.removeprefix(b"Exif\0\0")
    resources = ImageResources.new()
    for key, data in found.items():
        resources[key] = ImageResource(key=key.value, data=data)
    return resources
