"""Picture files of every kind, with the values that are right for them.

A `Case` says what a file is; `make` writes it and computes what it shows, by
`right_colours`.  `cases` lists all that are valid.  Nothing of tfdivcolor is
used.
"""

import io
import itertools
from dataclasses import dataclass, field

import hand_written as by_hand
import imagecodecs
import numpy as np
from hand_written import Layout
from PIL import Image
from right_colours import (
    PNG_CHUNKS,
    PROFILES,
    lab_of_xyz,
    linear,
    shown,
    to_xyz,
)

WIDTH, HEIGHT = 37, 23  # odd, and no multiple of a tile or of 8 pixels
DPI = (300, 240)  # as stored: across, down

# --- Cases -------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """What a file is; the fields are the axes of the matrix."""

    image_format: str
    colour: str  # grey, negative, rgb, palette, cmyk, cielab, icclab, ycbcr
    depth: str  # bits of a channel, or float16, float32
    profile: str = "none"
    orientation: int = 1
    alpha: str = "none"  # straight, associated, other (no alpha at all)
    layout: str = "plain"

    def __str__(self):
        return "-".join(str(value).replace(" ", "_") for value in (
            self.image_format, self.colour, self.depth, self.profile,
            self.orientation, self.alpha, self.layout))

    @property
    def bits(self):
        return int(self.depth.removeprefix("float"))

    @property
    def space(self):
        return {"negative": "grey", "palette": "rgb", "ycbcr": "rgb",
                "cielab": "lab", "icclab": "lab"}.get(self.colour, self.colour)

    @property
    def is_deep(self):
        return self.bits > 8

    @property
    def is_lossy(self):
        return (self.image_format in ("JPEG", "AVIF", "HEIF")
                or "jpeg" in self.layout or self.layout == "lossy")


@dataclass(frozen=True)
class Made:
    """A file and what is right for it, upright."""

    data: bytes
    shown: np.ndarray  # float [H, W, 3], sRGB-coded, 0..1
    alpha: np.ndarray | None  # float [H, W], 0..1
    dpi: tuple[float, float] | None


TIFF_LAYOUTS = {
    "plain": Layout(),
    "strips": Layout(rows=5, order=">"),
    "tiles": Layout(tile=16),
    "planes": Layout(in_planes=True, rows=7),
    "tiled planes": Layout(in_planes=True, tile=16, order=">"),
    "lzw": Layout(compression=by_hand.LZW, rows=8),
    "lzw, predictor": Layout(compression=by_hand.LZW, predictor=2),
    "deflate": Layout(compression=by_hand.DEFLATE, rows=9, order=">"),
    "deflate, predictor": Layout(
        compression=by_hand.OLD_DEFLATE, predictor=2, tile=16, order=">"),
    "float predictor": Layout(
        compression=by_hand.DEFLATE, predictor=3, rows=10),
    "packbits": Layout(compression=by_hand.PACKBITS, rows=6),
    "zstd": Layout(compression=by_hand.ZSTD),
    "big": Layout(is_big=True, rows=11),
    "big, big-endian": Layout(
        is_big=True, order=">", compression=by_hand.LZW),
    "group 4": Layout(compression=by_hand.GROUP_4),
    "fill order 2": Layout(fill_order=2, rows=5),
    "jpeg": Layout(compression=by_hand.JPEG, rows=16),
    "jpeg, 4:2:0": Layout(
        compression=by_hand.JPEG, tile=32, subsampling=2),
}


def _tiff_layouts(colour, depth, alpha):
    bits = int(depth.removeprefix("float"))
    several = colour not in ("grey", "negative", "palette") or alpha != "none"
    is_float, fits = depth.startswith("float"), bits in (8, 16, 32)
    left_out = set()
    if not several or colour == "ycbcr":
        left_out |= {"planes", "tiled planes"}
    if is_float or not fits or colour in ("palette", "ycbcr"):
        left_out |= {"lzw, predictor", "deflate, predictor"}
    if not is_float:
        left_out.add("float predictor")
    if depth != "1" or several:
        left_out |= {"group 4", "fill order 2"}
    if alpha != "none" or depth != "8" or colour not in (
            "grey", "rgb", "ycbcr"):
        left_out.add("jpeg")
    if colour != "ycbcr":
        left_out.add("jpeg, 4:2:0")
    return [name for name in TIFF_LAYOUTS if name not in left_out]


_ANY_RGB = ["none", "sRGB", "sRGB 4", "linear", "gamma 1.8", "Adobe RGB"]
_OF_GREY = [*_ANY_RGB, "grey 2.2", "grey 1.8", "Lab", "damaged"]
_OF_RGB = [*_ANY_RGB, "grey 1.8", "Lab", "damaged"]
_FEW = ["none", "linear", "gamma 1.8", "Adobe RGB", "damaged"]
_OF_INKS = ["none", "CMYK", "gamma 1.8", "damaged"]
_ALL_TURNS = range(1, 9)
_ALPHAS = ["none", "straight"]
_TO_16 = [str(bits) for bits in range(8, 17)]
_FINE = [*_TO_16, "32", "float16", "float32"]


@dataclass(frozen=True)
class _Kind:
    image_format: str
    colour: str
    depths: list[str]
    profiles: list[str]
    alphas: list[str] = field(default_factory=lambda: ["none"])
    turns: tuple = tuple(_ALL_TURNS)
    layouts: list[str] = field(default_factory=lambda: ["plain"])


_KINDS = [
    _Kind("TIFF", "grey", ["1", "2", "4", *_FINE], _OF_GREY),
    _Kind("TIFF", "grey", _FINE, _FEW, ["straight", "associated", "other"]),
    _Kind("TIFF", "negative", ["1", "2", "4", *_TO_16, "32"], _OF_GREY),
    _Kind("TIFF", "rgb", _FINE, _OF_RGB),
    _Kind("TIFF", "rgb", _FINE, _FEW, ["straight", "associated", "other"]),
    _Kind("TIFF", "palette", ["1", "2", "4", "8"], _FEW),
    _Kind("TIFF", "cmyk", ["1", "8", "16"], _OF_INKS),
    _Kind("TIFF", "cmyk", ["8", "16"], _OF_INKS, ["straight"]),
    _Kind("TIFF", "cielab", ["8", "16"], ["none", "Lab"]),
    _Kind("TIFF", "icclab", ["8", "16"], ["none", "Lab"]),
    _Kind("TIFF", "ycbcr", ["8"], _FEW),
    _Kind("PNG", "grey", ["1", "2", "4"], [*_OF_GREY, *PNG_CHUNKS],
          layouts=["plain", "interlaced"]),
    _Kind("PNG", "grey", ["8", "16"], [*_OF_GREY, *PNG_CHUNKS], _ALPHAS,
          layouts=["plain", "interlaced"]),
    _Kind("PNG", "rgb", ["8", "16"], [*_OF_RGB, *PNG_CHUNKS], _ALPHAS,
          layouts=["plain", "interlaced"]),
    _Kind("PNG", "palette", ["1", "2", "4", "8"], [*_OF_RGB, *PNG_CHUNKS],
          layouts=["plain", "interlaced"]),
    _Kind("JPEG", "grey", ["8"], _OF_GREY, layouts=["plain", "progressive"]),
    _Kind("JPEG", "rgb", ["8"], _OF_RGB,
          layouts=["plain", "progressive", "4:2:0", "no transform"]),
    _Kind("JPEG", "cmyk", ["8"], _OF_INKS, layouts=["plain", "Adobe", "YCCK"]),
    _Kind("JPEG", "grey", ["12"], _OF_GREY),
    _Kind("JPEG", "rgb", ["12"], _OF_RGB),
    _Kind("WEBP", "rgb", ["8"], _OF_RGB, _ALPHAS, layouts=["plain", "lossy"]),
    _Kind("GIF", "palette", ["8"], ["none"], turns=(1,)),
    _Kind("BMP", "palette", ["1", "4", "8"], ["none"], turns=(1,),
          layouts=["plain", "top down"]),
    _Kind("BMP", "rgb", ["8"], ["none"], turns=(1,),
          layouts=["plain", "top down", "16 bits", "32 bits"]),
    _Kind("BMP", "rgb", ["8"], ["none"], ["straight"], (1,)),
    _Kind("JPEG2000", "grey", ["8", "12", "16"], _OF_GREY, turns=(1,),
          layouts=["plain"]),
    _Kind("JPEG2000", "rgb", ["8", "12", "16"], _OF_RGB, turns=(1,)),
    _Kind("JPEG2000", "grey", ["8", "12", "16"], ["none"], turns=(1,),
          layouts=["codestream"]),
    _Kind("JPEG2000", "rgb", ["8", "12", "16"], ["none"], turns=(1,),
          layouts=["codestream"]),
    _Kind("AVIF", "rgb", ["8"], _OF_RGB, _ALPHAS),
    _Kind("AVIF", "rgb", ["10", "12"], ["none"], _ALPHAS, (1,)),
    _Kind("AVIF", "grey", ["8", "10", "12"], ["none"], turns=(1,)),
    _Kind("HEIF", "rgb", ["8"], _OF_RGB, _ALPHAS),
    _Kind("HEIF", "rgb", ["10", "12"], ["none", "linear"]),
]


def cases():
    """All cases: the product of the axes, each with the next layout in turn.

    So every layout meets every profile, orientation and alpha.
    """
    for kind in _KINDS:
        for depth, alpha in itertools.product(kind.depths, kind.alphas):
            layouts = kind.layouts
            if kind.image_format == "TIFF":
                layouts = _tiff_layouts(kind.colour, depth, alpha)
            combined = list(itertools.product(kind.profiles, kind.turns))
            for i in range(max(len(combined), len(layouts))):
                profile, turn = combined[i % len(combined)]
                # One further after eight turns, or they would always meet the
                # same layouts.
                layout = layouts[(i + i // 8) % len(layouts)]
                yield Case(kind.image_format, kind.colour, depth, profile,
                           turn, alpha, layout)


# --- Pictures ----------------------------------------------------------------


def picture(colour, is_soft=False):
    """sRGB-coded [H, W, 1 or 3], 0..1; soft: without edges and extremes."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / ([[[HEIGHT - 1]], [[WIDTH - 1]]])
    grey = .04 + .92 * (.6 * x + .4 * y)
    if is_soft:
        grey = .2 + .7 * grey
    else:
        grey[2:6, 3:9], grey[15:20, 20:27] = 1, 0
    if colour in ("grey", "negative"):
        return grey[..., np.newaxis]
    chroma = np.stack([np.cos(np.pi * x), np.sin(3 * y) - .5,
                       np.cos(np.pi * y)], -1)
    # None in black and white, so that all profiles keep it in gamut.
    return grey[..., np.newaxis] + .3 * chroma * (grey * (1 - grey))[..., None]


def stored(upright, orientation):
    """As the EXIF standard words it: where row 0 and column 0 are shown."""
    swapped = np.swapaxes(upright, 0, 1)
    return np.ascontiguousarray({
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1],
        4: upright[::-1], 5: swapped, 6: swapped[::-1],
        7: swapped[::-1, ::-1], 8: swapped[:, ::-1]}[orientation])


def quantised(values, depth):
    """Values 0..1 -> samples of a depth."""
    if depth.startswith("float"):
        return values.astype(depth)
    bits = int(depth)
    kind = np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32
    return np.rint(np.clip(values, 0, 1) * (2 ** bits - 1)).astype(kind)


def restored(samples, depth):
    """The reverse: float64."""
    top = 1 if depth.startswith("float") else 2 ** int(depth) - 1
    return samples.astype(np.float64) / top


def _inks(rgb):
    black = .3 * (1 - rgb.max(axis=-1, keepdims=True))
    return np.concatenate([1 - rgb / (1 - black), black], -1)


_YCBCR = np.array([[.299, .587, .114], [-.168736, -.331264, .5],
                   [.5, -.418688, -.081312]])


def _lab_samples(rgb, colour, bits):
    """L*a*b* as photometric 8 (signed) or 9 (shifted) store it: samples, Lab.
    """
    lab = lab_of_xyz(linear(rgb) @ to_xyz("sRGB").T)
    step = 2 ** (bits - 8)
    top = 2 ** bits - 1 if colour == "cielab" or bits == 8 else 0xFF00
    lightness = np.rint(lab[..., :1] / 100 * top)
    ab = np.rint(lab[..., 1:] * step)
    lab = np.concatenate([lightness / top * 100, ab / step], -1)
    ab = ab + 128 * step if colour == "icclab" else ab % 2 ** bits
    samples = np.concatenate([lightness, ab], -1)
    return samples.astype(np.uint8 if bits == 8 else np.uint16), lab


def _samples(case):
    """Samples [H, W, C] of the colours, what they mean, and the palette."""
    # Where others may round on the way, steps in the darks would be large.
    rgb = picture(case.colour, case.is_lossy or case.alpha == "associated"
                  or case.colour == "ycbcr")
    if case.colour == "palette":
        last = 2 ** case.bits - 1
        indices = np.rint(rgb[..., 1:2] * last).astype(np.uint8)
        steps = np.arange(last + 1) / max(last, 1)
        palette = np.stack([steps, steps ** 1.1, steps ** .9], -1)
        palette = np.rint(palette * 255).astype(np.uint8)
        return indices, palette[indices[..., 0]] / 255, palette
    if case.space == "lab":
        return *_lab_samples(rgb, case.colour, case.bits), None
    if case.layout == "16 bits":  # a pixel
        tops = np.array([31, 63, 31])
        samples = np.rint(rgb * tops)
        return samples.astype(np.uint8), samples / tops, None
    if case.colour == "cmyk":
        rgb = np.clip(_inks(rgb), 0, 1)
    if case.depth.startswith("float"):  # what is outside is clipped
        rgb = rgb + .5 * (rgb == 1) - .25 * (rgb == 0)
    samples = quantised(rgb, case.depth)
    values = restored(samples, case.depth)
    if case.colour == "ycbcr" and "jpeg" not in case.layout:
        samples = np.rint(
            values @ _YCBCR.T * 255 + (0, 128, 128)).astype(np.uint8)
        values = np.clip(
            (samples - (0., 128, 128)) / 255 @ np.linalg.inv(_YCBCR).T, 0, 1)
    return samples, values, None


# --- Files -------------------------------------------------------------------


def make(case):
    """Writes the file of a case, and computes what it shows: `Made`."""
    samples, values, palette = _samples(case)
    alpha = None
    if case.alpha != "none":
        alpha = np.linspace(.5, 1, WIDTH) * np.ones((HEIGHT, 1))
        alpha = quantised(alpha[..., np.newaxis], case.depth)
        opacity = restored(alpha, case.depth)
        if case.alpha == "associated":
            samples = quantised(values * opacity, case.depth)
            values = restored(samples, case.depth) / opacity
        samples = np.concatenate([samples, alpha], -1)
        alpha = opacity[..., 0] if case.alpha != "other" else None
    profile = (PNG_CHUNKS[case.profile][1] if case.profile in PNG_CHUNKS
               else PROFILES[case.profile])
    right = shown(values, case.space, profile)
    if case.colour == "negative":
        samples = np.array(2 ** case.bits - 1, samples.dtype) - samples
    data, dpi = _WRITERS[case.image_format](
        case, stored(samples, case.orientation), palette)
    if dpi and case.orientation > 4:
        dpi = dpi[::-1]
    return Made(data, right, alpha, dpi)


def icc_of(case):
    """Bytes of the case's ICC profile, or None."""
    profile = PROFILES.get(case.profile)
    return profile and profile.data


def _exif(case, dpi=None):
    entries = {274: (3, [case.orientation])}
    if dpi:
        entries |= by_hand.resolution(dpi)
    return by_hand.exif(entries)


def _tiff(case, samples, palette):
    photometric = {"negative": 0, "grey": 1, "rgb": 2, "palette": 3,
                   "cmyk": 5, "ycbcr": 6, "cielab": 8, "icclab": 9}[
        case.colour]
    tags = {274: (3, [case.orientation]), **by_hand.resolution(DPI)}
    if case.alpha != "none":
        tags[338] = (3, [
            {"other": 0, "associated": 1, "straight": 2}[case.alpha]])
    if palette is not None:
        tags[320] = (3, (palette.T.astype(int) * 257).ravel().tolist())
    if icc_of(case):
        tags[34675] = (7, icc_of(case))
    layout = TIFF_LAYOUTS[case.layout]
    page = by_hand.tiff_page(samples, case.bits, photometric, layout, tags)
    return by_hand.tiff(page, order=layout.order, is_big=layout.is_big), DPI


def _png(case, samples, palette):
    chunks = list(PNG_CHUNKS.get(case.profile, ([], None))[0])
    if icc_of(case):
        chunks.append(by_hand.iccp(icc_of(case)))
    across, down = (round(number / .0254) for number in DPI)
    chunks += [
        (b"pHYs", across.to_bytes(4, "big") + down.to_bytes(4, "big") + b"\1"),
        (b"eXIf", _exif(case))]
    return by_hand.png(samples, case.bits, chunks, palette,
                       case.layout == "interlaced"), DPI


def _jpeg(case, samples, palette):
    density, adobe = DPI, None
    if case.depth == "12":
        data = imagecodecs.jpeg8_encode(
            np.squeeze(samples, 2) if case.colour == "grey" else samples,
            level=98, bitspersample=12, subsampling="444")
    elif case.colour == "cmyk":
        density = None  # of JFIF, which has no such channels
        adobe = {"plain": None, "Adobe": 0, "YCCK": 2}[case.layout]
        data = imagecodecs.jpeg8_encode(
            samples if adobe is None else 255 - samples, level=98,
            colorspace="CMYK", subsampling="444",
            outcolorspace="YCCK" if adobe else "CMYK")
    elif case.layout == "no transform":
        density, adobe = None, 0
        data = imagecodecs.jpeg8_encode(
            samples, level=98, colorspace="RGB", outcolorspace="RGB")
    else:
        data = _saved(samples, "JPEG", quality=98, optimize=True,
                      progressive=case.layout == "progressive",
                      subsampling=2 if case.layout == "4:2:0" else 0)
    return by_hand.jpeg_with(
        data, density, _exif(case, None if density else DPI), icc_of(case),
        adobe), DPI


def _saved(samples, image_format, **options):
    file = io.BytesIO()
    Image.fromarray(
        samples[..., 0] if samples.shape[2] == 1 else samples).save(
            file, image_format, **options)
    return file.getvalue()


def _webp(case, samples, palette):
    kind = ({"quality": 100} if case.layout == "lossy"
            else {"lossless": True, "exact": True})
    return _saved(samples, "WEBP", exif=_exif(case), icc_profile=icc_of(case),
                  **kind), None


def _gif(case, samples, palette):
    image = Image.fromarray(samples[..., 0], "L")
    image.putpalette(palette.tobytes())
    file = io.BytesIO()
    image.save(file, "GIF")
    return file.getvalue(), None


def _bmp(case, samples, palette):
    bits = {"16 bits": 16, "32 bits": 32}.get(
        case.layout, case.bits if palette is not None
        else 8 * samples.shape[2])
    return by_hand.bmp(samples, bits, palette, DPI,
                       case.layout != "top down"), DPI


def _jpeg2000(case, samples, palette):
    if case.colour == "grey":
        samples = samples[..., 0]
    data = imagecodecs.jpeg2k_encode(
        samples, level=0, reversible=True, bitspersample=case.bits,
        codecformat="J2K" if case.layout == "codestream" else "JP2")
    if icc_of(case):
        data = by_hand.jp2_with(data, icc_of(case))
    return data, None


def _avif(case, samples, palette):
    if case.bits == 8 and case.colour == "rgb":
        return _saved(samples, "AVIF", quality=100, subsampling="4:4:4",
                      exif=_exif(case), icc_profile=icc_of(case)), None
    if case.colour == "grey":
        samples = samples[..., 0]
    return imagecodecs.avif_encode(
        samples, level=99, bitspersample=case.bits), None


def _heif(case, samples, palette):
    import pillow_heif
    height, width, channels = samples.shape
    mode = "RGBA" if channels == 4 else "RGB"
    pillow_heif.options.SAVE_HDR_TO_12_BIT = case.depth == "12"
    if case.bits > 8:
        mode += ";16"
        samples = samples << (16 - case.bits)
    image = pillow_heif.from_bytes(mode, (width, height), samples.tobytes())
    pillow_heif.options.SAVE_HDR_TO_12_BIT = False
    file = io.BytesIO()
    options = {"exif": b"Exif\0\0" + _exif(case)}
    if icc_of(case):
        options["icc_profile"] = icc_of(case)
    image.save(file, quality=98, chroma=444, **options)
    return file.getvalue(), None


_WRITERS = {"TIFF": _tiff, "PNG": _png, "JPEG": _jpeg, "WEBP": _webp,
            "GIF": _gif, "BMP": _bmp, "JPEG2000": _jpeg2000, "AVIF": _avif,
            "HEIF": _heif}
