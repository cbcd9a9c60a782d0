"""Our own words in a file (seed, weights, rank, ...): a dict of str to str.

In PNG they are text chunks, elsewhere attributes of an XMP packet, which
leaves the photograph's EXIF alone.
"""

import re
from xml.etree import ElementTree
from xml.sax import saxutils

_NAMESPACE = "urn:tfdivcolor:"
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    f'<rdf:Description rdf:about="" xmlns:tfdivcolor="{_NAMESPACE}"'
    '%s/></rdf:RDF></x:xmpmeta><?xpacket end="r"?>')


def clean(metadata):
    """Texts that every format can hold: {name: text}.

    What XML or UTF-8 cannot hold (control characters, and the stand-ins for
    bytes of file names that are not UTF-8) becomes "?".

    Raises:
        ValueError: if a name is not one for an XML attribute: ASCII letters,
            digits and "_", and no digit first.
    """
    for name in metadata:
        if not re.fullmatch(r"[A-Za-z_]\w{0,78}", name, re.ASCII):
            raise ValueError(
                "metadata: names must be 1 to 79 ASCII letters, digits and _, "
                f"and must not begin with a digit (received {name!r})")
    return {name: re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]",
                         "?", text) for name, text in metadata.items()}


def xmp(metadata):
    """XMP packet, bytes, of clean metadata."""
    return (_PACKET % "".join(
        f" tfdivcolor:{name}={saxutils.quoteattr(text)}"
        for name, text in metadata.items())).encode()


def read_xmp(packet):
    """Reads our words in an XMP packet (bytes or str): {name: text}."""
    try:
        root = ElementTree.fromstring(packet)
    except (ElementTree.ParseError, ValueError):
        return {}
    prefix = f"{{{_NAMESPACE}}}"
    return {name.removeprefix(prefix): text for element in root.iter()
            for name, text in element.items() if name.startswith(prefix)}
