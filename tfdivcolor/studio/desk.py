"""The state that requests share: strip, open photographs and networks."""

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

# Limits for photographs in memory: their pixels in total, and their number,
# because each photograph keeps results too.
_OPEN_PIXELS, _MOST_OPEN = 120_000_000, 8


@dataclass(frozen=True)
class Model:
    """The networks and the identity of their weights.

    Attributes:
        colorizer: `Colorizer`.
        name: str. Name of the weights.
        sha256: str. Checksum of the weights.
    """

    colorizer: Colorizer
    name: str
    sha256: str


class Refused(Exception):
    """The studio refuses a request.

    Args:
        status: int. HTTP status of the answer.
        code: str. The reason, for the page.
        text: object. The reason, one line for the user.
    """

    def __init__(self, status: int, code: str, text: object):
        super().__init__(str(text))
        self.status, self.code = status, code


class Desk:
    """The state that all requests share.

    Args:
        folder: Path. The data folder; it exists.
        strip: `Strip`.
        worker: `Worker` that loads a `Model`.
        name: str. Name of the weights on the command line.

    Attributes:
        folder, strip, worker: as given.
        weights_name: str. `name`.
        sessions: `Sessions` of the data folder.
        exports: `Exports` of the data folder.
        threads: ThreadPoolExecutor for pictures.
    """

    def __init__(self, folder: Path, strip: Strip, worker: Worker, name: str):
        self.folder, self.strip, self.worker = folder, strip, worker
        self.weights_name = name
        self.sessions = Sessions(folder)
        self.exports = Exports(folder / "exports")
        # Read photographs and draw pictures while the networks run.
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="pictures")
        # A scan may take a second, so thumbnails never delay other pictures.
        self._thumbnails = ThreadPoolExecutor(1, thread_name_prefix="strip")
        self._easels: collections.OrderedDict[str, asyncio.Future[Easel]] = (
            collections.OrderedDict())

    async def on_thread(self, function: Callable[..., Answer],
                        *arguments: Any) -> Answer:
        """Runs a slow function on a thread of `threads`.

        Args:
            function: any function.
            *arguments: its arguments.

        Returns:
            the function's value. Its exceptions pass through.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self.threads, functools.partial(function, *arguments))

    async def thumbnail(self, entry: Entry) -> bytes:
        """Makes a small picture of a photograph.

        Args:
            entry: `Entry`.

        Returns:
            bytes of a JPEG file, at most `THUMBNAIL_PIXELS` on a side.

        Raises:
            images.ImageError: the photograph cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._thumbnails, _thumbnail, entry)

    def close(self) -> None:
        """Stops exports, the networks and all threads."""
        self.exports.close()
        self.worker.stop()
        for threads in (self.threads, self._thumbnails):
            threads.shutdown(wait=False, cancel_futures=True)

    def entry(self, request: Request) -> Entry:
        """The photograph that a request names.

        Args:
            request: Request with the path parameter `photo`.

        Returns:
            `Entry`.

        Raises:
            Refused: the photograph is not in the strip.
        """
        try:
            return self.strip.entries[request.path_params["photo"]]
        except KeyError:
            raise Refused(404, "photo",
                          "this photograph is not in the strip") from None

    async def easel(self, entry: Entry) -> Easel:
        """Opens a photograph, or finds it in memory.

        Simultaneous requests share one read.

        Args:
            entry: `Entry`.

        Returns:
            `Easel`.

        Raises:
            images.ImageError: the photograph cannot be read.
        """
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
        """Removes a photograph from the strip and from memory."""
        self.strip.remove(entry.id)
        self._easels.pop(entry.id, None)

    def _forget(self):
        """Drops the least recently used photographs beyond the limits."""
        total, kept = 0, 0
        for identity, future in reversed(list(self._easels.items())):
            if not future.done() or future.cancelled() or future.exception():
                continue
            easel = future.result()
            total, kept = total + easel.width * easel.height, kept + 1
            if kept > 1 and (total > _OPEN_PIXELS or kept > _MOST_OPEN):
                del self._easels[identity]

    def model(self) -> Model:
        """The networks.

        Returns:
            `Model`.

        Raises:
            Refused: the networks are still loading.
        """
        if self.worker.loaded is None:
            raise Refused(503, "loading", "the networks are still loading")
        return self.worker.loaded


def _read(entry):
    return Easel(*entry.read())


def _thumbnail(entry):
    if _is_plain_jpeg(entry.path):
        # Pillow refuses a truncated file, which the reader accepts.
        with contextlib.suppress(images.ImageError):
            image, _ = previews.read(entry.path, THUMBNAIL_PIXELS)
            return previews.jpeg(image, **previews.THUMBNAIL)
    easel = _read(entry)
    return easel.original(easel.whole(THUMBNAIL_PIXELS))


def _is_plain_jpeg(path):
    """Whether Pillow alone decodes a file correctly and fast."""
    try:
        with open(path, "rb") as file:
            image, image_format = formats.open_image(file, path.name)
            return image_format == "JPEG" and image.mode in ("L", "RGB")
    except Exception:  # decoders raise anything; the reader reports the fault
        return False
