"""A page to choose among results: one HTML file, for any browser, offline.

The page contains previews of each photograph's grey picture and results, with
a divider between before and after, keyboard shortcuts and marks for kept
results. Links lead to the result files, which stay in their places.

The page is the template gallery.html with styles, scripts and data blocks. The
browser does not run a data block as a script. Each photograph has a block for
each preview, then a block that describes it. So the page shows the first
photographs while the browser still reads the others.
"""

import base64
import concurrent.futures
import hashlib
import html
import json
import math
import os
import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tfdivcolor import images
from tfdivcolor.coloring import outputs
from tfdivcolor.gallery import previews
from tfdivcolor.utils import files
from tfdivcolor.utils.messages import readable

PREVIEW_PIXELS = 960  # longer side of a preview
THUMBNAIL_PIXELS = 120  # longer side of a picture in the filmstrip

_READERS = 2  # pictures at once; each may need a third of a gigabyte
_PLACE = b"<!-- photographs -->"
_STYLES = ("look.css", "gallery.css")
_SCRIPTS = ("common.js", "stage.js", "gallery.js")  # imported ones first

_HEX_COLOR = re.compile("#[0-9a-fA-F]{6}")
_SHOWN = ("input", "seed", "temperature", "mode", "weights")


@dataclass(frozen=True)
class Gallery:
    """A summary of a written gallery.

    Attributes:
        photographs: int. Number of photographs in the page.
        size: int. Bytes of the file.
        left_out: list of (Path, str). The base of each skipped photograph, and
            the reason in one line.
    """

    photographs: int = 0
    size: int = 0
    left_out: list[tuple[Path, str]] = field(default_factory=list)


def write(path: str | os.PathLike, bases: Iterable[str | os.PathLike],
          title: str = "Colourings", quiet: bool = True) -> Gallery:
    """Writes a gallery, whole or not at all.

    The grey picture comes from a photograph's first result, which has the
    photograph's luminance. Memory does not grow with the number of
    photographs. The same arguments and files give the same bytes.

    Args:
        path: str or os.PathLike. The page; the function replaces an existing
            file. Its links are relative: move it together with the results.
        bases: iterable of paths. The outputs of each photograph, up to their
            endings. The gallery skips a photograph with an unreadable record
            or picture.
        title: str. Heading of the page. Defaults to "Colourings".
        quiet: bool. Show no progress bar. Defaults to True.

    Returns:
        `Gallery`.

    Raises:
        images.ImageError: the page cannot be written, or has no photograph to
            show. An existing file stays unchanged.
    """
    path = Path(path)
    before, after = _template(title).split(_PLACE)
    count, left_out = 0, []
    with files.replacing(path) as file:
        file.write(before)
        for base in tqdm(bases, unit="photo", desc="gallery", disable=quiet):
            base = Path(base)
            try:
                blocks = _blocks(base, path.parent)
            except images.ImageError as error:
                left_out.append((base, str(error)))
                continue
            file.writelines(blocks)
            count += 1
        if not count:
            received = left_out[0][1] if left_out else "no photographs"
            raise images.ImageError(
                f"{path}: must have at least one photograph to show "
                f"(received {received})")
        file.write(after)
        size = file.tell()
    return Gallery(count, size, left_out)


def is_page(path: str | os.PathLike) -> bool:
    """Whether `write` has written a file.

    Args:
        path: str or os.PathLike.

    Returns:
        bool; False for a file that does not exist.
    """
    try:
        with open(path, "rb") as file:
            return b'content="tfdivcolor gallery"' in file.read(1000)
    except OSError:
        return False


# --- The page --------------------------------------------------------------


def _template(title):
    """The page without photographs, with a mark in their place."""
    page = _text("gallery.html")
    style = "".join(map(_text, _STYLES))
    script = _joined(map(_text, _SCRIPTS))
    # The policy allows only this style and this script, whatever the names of
    # files contain, and no network.
    for name, text in (("style", style), ("script", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest())
        page = page.replace(f"{{{{{name}_sha256}}}}", digest.decode())
        page = page.replace(f"{{{{{name}}}}}", text)
    # The title comes last, because it may look like a mark.
    title = html.escape(readable(title)).encode()
    page = page.encode().split(_PLACE)
    return _PLACE.join(
        [page[0].replace(b"{{title}}", title), page[1]])


def _text(name):
    return Path(__file__).with_name(name).read_text("utf-8")


def _joined(modules):
    """Joins JavaScript modules to one script, because modules need a server."""
    lines = re.compile(r"^import\s[^;]*;\n|^export ", re.MULTILINE)
    return '"use strict";\n(() => {\n%s})();\n' % "".join(
        lines.sub("", module) for module in modules)


def _block(kind, text):
    return b'<script type="%s">%s</script>\n' % (kind, text)


def _json(values):
    # The text is ASCII, without characters that have a meaning in HTML.
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("ascii")


def _blocks(base, folder):
    """The data blocks of one photograph.

    Args:
        base: Path of its outputs, up to their endings.
        folder: Path of the page's folder.

    Returns:
        list of bytes: previews of the grey picture, of the results in their
        order and of the original if it exists, then their description.

    Raises:
        images.ImageError: the record or a picture cannot be read.
    """
    record = outputs.read_record(base)
    ending = re.compile(re.escape(base.name) + r"_\d+\.\w+")
    names = [name for name in record.get("outputs", ())
             if ending.fullmatch(name)]
    if not names:
        raise images.ImageError(
            f"{outputs.record_path(base)}: must be the record of a "
            "photograph's results (received no readable record)")
    original = record.get("original")
    if original is not None and original not in record["outputs"]:
        raise images.ImageError(
            f"{outputs.record_path(base)}: original must be one of the "
            f"outputs (received {original!r})")

    paths = [base.with_name(name)
             for name in ([*names, original] if original else names)]
    first, (width, height) = previews.read(paths[0], PREVIEW_PIXELS)
    pictures = [previews.data_uri(picture, **previews.PREVIEW)
                for picture in (previews.grey(first), first)]
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        pictures += readers.map(_preview, paths[1:])
    thumbnail = first.copy()
    thumbnail.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    about = {
        **_about(record, len(names)), "width": width, "height": height,
        "preview": first.size, "name": _file(base, folder)["name"],
        "thumbnail": previews.data_uri(
            thumbnail, **previews.THUMBNAIL).decode(),
        "results": [_file(base.with_name(name), folder) for name in names]}
    if original:
        about["original"] = _file(base.with_name(original), folder)
    # Marks belong to exactly these results: new results start without marks.
    about["key"] = hashlib.sha256(repr([
        about["results"], [record.get(key) for key in outputs.IDENTITY]
    ]).encode()).hexdigest()[:24]
    return [*(_block(b"text/plain", picture) for picture in pictures),
            _block(b"application/json", _json(about))]


def _about(record, num_results):
    """The part of a record that the page shows, without missing fields."""
    # Text, because a seed may have more digits than a JavaScript number.
    about: dict[str, Any] = {
        key: readable(str(record[key])) for key in _SHOWN if key in record}
    ranks = record.get("ranks")
    if (isinstance(ranks, list) and len(ranks) == num_results
            and all(isinstance(rank, int) for rank in ranks)):
        about["ranks"] = ranks
    for key in ("share", "log_prob"):
        values = record.get(key)
        if isinstance(values, list) and len(values) == num_results:
            about[key] = [
                value if _is_number(value) else None for value in values]
    hints = record.get("hints")
    about["hints"] = [
        {key: hint[key] for key in ("x", "y", "rgb")}
        for hint in (hints if isinstance(hints, list) else ())
        if isinstance(hint, dict) and _is_number(hint.get("x"))
        and _is_number(hint.get("y")) and isinstance(hint.get("rgb"), str)
        and _HEX_COLOR.fullmatch(hint["rgb"])]
    return about


def _is_number(value):
    return isinstance(value, int) or (
        isinstance(value, float) and math.isfinite(value))


def _file(path, folder):
    relative = os.path.relpath(path, folder).replace(os.sep, "/")
    # The link has the bytes of the name, which need not be Unicode.
    return {"name": readable(relative),
            "href": urllib.parse.quote(os.fsencode(relative))}


def _preview(path):
    image, _ = previews.read(path, PREVIEW_PIXELS)
    return previews.data_uri(image, **previews.PREVIEW)
