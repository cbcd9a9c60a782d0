"""What the studio's requests share: the strip, opened photographs, networks."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request

from tfdivcolor import images
from tfdivcolor.gallery import previews
from tfdivcolor.images import formats
from tfdivcolor.studio.easel import Easel
from tfdivcolor.studio.exports import Exports
from tfdivcolor.studio.sessions import Sessions
from tfdivcolor.studio.strip import Entry, Strip
from tfdivcolor.studio.worker import Worker

if TYPE_CHECKING:  # it imports TensorFlow
    from tfdivcolor.coloring.colorizer import Colorizer

THUMBNAIL_PIXELS = 160
Answer = TypeVar("Answer")

# Of photographs in memory: their pixels, and how many (each has results too).
_OPEN_PIXELS, _MOST_OPEN = 120_000_000, 8


@dataclass(frozen=True)
class Model:
    """The networks, and what they are called."""

    colorizer: Colorizer
    name: str
    sha256: str


class Refused(Exception):
    """A request cannot be answered: status, code and one line."""

    def __init__(self, status: int, code: str, text: object):
        super().__init__(str(text))
        self.status, self.code = status, code


class Desk:
    """What the requests share.

    Args:
        folder: Path. The data folder, which is there.
        strip: `Strip`.
        worker: `Worker`, whose `loaded` becomes a `Model`.
        name: str. Of the weights, as the command line has it.
    """

    def __init__(self, folder: Path, strip: Strip, worker: Worker, name: str):
        self.folder, self.strip, self.worker = folder, strip, worker
        self.weights_name = name
        self.sessions = Sessions(folder)
        self.exports = Exports(folder / "exports")
        # Reading and drawing for the screen, beside the networks.
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="pictures")
        # Of a strip of scans, each may take a second; nothing waits for them.
        self._thumbnails = ThreadPoolExecutor(1, thread_name_prefix="strip")
        self._easels: collections.OrderedDict[str, asyncio.Future[Easel]] = (
            collections.OrderedDict())

    async def on_thread(self, function: Callable[..., Answer],
                        *arguments: Any) -> Answer:
        """Runs what takes its time beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(
            self.threads, functools.partial(function, *arguments))

    async def thumbnail(self, entry: Entry) -> bytes:
        """A small picture of a photograph, a JPEG file."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thumbnails, _thumbnail, entry)

    def close(self) -> None:
        """Ends everything that still runs."""
        self.exports.close()
        self.worker.stop()
        for threads in (self.threads, self._thumbnails):
            threads.shutdown(wait=False, cancel_futures=True)

    def entry(self, request: Request) -> Entry:
        """The photograph that a request is about."""
        try:
            return self.strip.entries[request.path_params["photo"]]
        except KeyError:
            raise Refused(404, "photo",
                          "there is no such photograph in the strip") from None

    async def easel(self, entry: Entry) -> Easel:
        """An opened photograph; it is read once for all that ask at once."""
        future = self._easels.get(entry.id)
        if future is None:
            future = asyncio.ensure_future(self.on_thread(_read, entry))
            self._easels[entry.id] = future
        self._easels.move_to_end(entry.id)
        try:
            found = await asyncio.shield(future)
        except BaseException:
            if future.done() and self._easels.get(entry.id) is future:
                del self._easels[entry.id]
            raise
        self._forget()
        return found

    def remove(self, entry: Entry) -> None:
        """Takes a photograph out of the strip and out of memory."""
        self.strip.remove(entry.id)
        self._easels.pop(entry.id, None)

    def _forget(self):
        """Lets go of photographs that were not asked for of late."""
        total, kept = 0, 0
        for identity, future in reversed(list(self._easels.items())):
            if not future.done() or future.cancelled() or future.exception():
                continue
            easel = future.result()
            total, kept = total + easel.width * easel.height, kept + 1
            if kept > 1 and (total > _OPEN_PIXELS or kept > _MOST_OPEN):
                del self._easels[identity]

    def model(self) -> Model:
        """The networks, once they are loaded."""
        if self.worker.loaded is None:
            raise Refused(503, "loading", "the networks are being loaded")
        return self.worker.loaded


def _read(entry):
    return Easel(*entry.read())


def _thumbnail(entry):
    if _is_plain_jpeg(entry.path):
        # A file that lacks its end, the reader takes and Pillow does not.
        with contextlib.suppress(images.ImageError):
            image, _ = previews.read(entry.path, THUMBNAIL_PIXELS)
            return previews.jpeg(image, **previews.THUMBNAIL)
    easel = _read(entry)
    return easel.original(easel.whole(THUMBNAIL_PIXELS))


def _is_plain_jpeg(path):
    """Whether Pillow alone shows a file right, and fast."""
    try:
        with open(path, "rb") as file:
            image, image_format = formats.open_image(file, path.name)
            return image_format == "JPEG" and image.mode in ("L", "RGB")
    except Exception:  # decoders raise almost anything; the reader says what
        return False
