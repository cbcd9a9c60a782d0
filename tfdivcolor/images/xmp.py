"""Our own metadata in a file (seed, weights, rank, ...): a dict of str to str.

They are attributes of an XMP packet, so that the photograph's EXIF stays as it
is. In PNG they are text chunks, written by `png`.
"""

import io
import os
import re
from collections.abc import Mapping
from xml.etree import ElementTree
from xml.sax import saxutils

from PIL import PngImagePlugin

from tfdivcolor.images.formats import open_image
from tfdivcolor.utils.errors import ImageError, reason

_NAMESPACE = "urn:tfdivcolor:"
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    f'<rdf:Description rdf:about="" xmlns:tfdivcolor="{_NAMESPACE}"'
    '%s/></rdf:RDF></x:xmpmeta><?xpacket end="r"?>')


def clean(metadata: Mapping[str, str]) -> dict[str, str]:
    """Makes texts that every format can hold: {name: text}.

    Characters that XML or UTF-8 cannot hold become "?": control characters,
    and the substitutes for bytes of file names that are not UTF-8.

    Raises:
        ValueError: if a name does not suit an XML attribute: ASCII letters,
            digits and "_", not beginning with a digit.
    """
    for name in metadata:
        if not re.fullmatch(r"[A-Za-z_]\w{0,78}", name, re.ASCII):
            raise ValueError(
                "metadata: names must be 1 to 79 ASCII letters, digits and _, "
                f"and must not begin with a digit (received {name!r})")
    return {name: re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]",
                         "?", text) for name, text in metadata.items()}


def xmp(metadata: Mapping[str, str]) -> bytes:
    """Makes an XMP packet, bytes, of metadata cleaned by `clean`."""
    return (_PACKET % "".join(
        f" tfdivcolor:{name}={saxutils.quoteattr(text)}"
        for name, text in metadata.items())).encode()


def read_metadata(source: str | os.PathLike | bytes) -> dict[str, str]:
    """Reads the metadata that `encode` wrote.

    No code of tfdivcolor calls this function. It serves users who want to know
    how a result was made.

    Args:
        source: str or os.PathLike (path), or bytes of an image file.

    Returns:
        dict of str to str: all text chunks of a PNG file; only our own
        metadata of other formats. Empty if there are none.

    Raises:
        ImageError: if the file does not exist or is not an image.
    """
    name = "image" if isinstance(source, bytes) else os.fsdecode(source)
    try:
        with (io.BytesIO(source) if isinstance(source, bytes)
              else open(source, "rb")) as file:
            image, _ = open_image(file, name)
            if isinstance(image, PngImagePlugin.PngImageFile):
                return dict(image.text)
            return _read_xmp(image.info.get("xmp", b""))
    except ImageError:
        raise
    except Exception as error:  # decoders raise almost anything
        raise ImageError(f"{name}: must be an image file that can be read "
                         f"(received: {reason(error)})") from error


def _read_xmp(packet):
    """Reads our metadata from an XMP packet (bytes or str): {name: text}."""
    try:
        root = ElementTree.fromstring(packet)
    except (ElementTree.ParseError, ValueError):
        return {}
    prefix = f"{{{_NAMESPACE}}}"
    return {name.removeprefix(prefix): text for element in root.iter()
            for name, text in element.items() if name.startswith(prefix)}
