"""Results at full size, as files for download: one file, or a zip of several.

A job runs in the background; the page polls its progress.  A result has the
same bytes as from `tfdivcolor colorize --recipe`, because the same function
makes them.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdivcolor.images import finding
from tfdivcolor.settings import OUTPUT_FORMATS
from tfdivcolor.studio import states
from tfdivcolor.studio.strip import Entry
from tfdivcolor.utils.errors import ImageError, reason
from tfdivcolor.utils.messages import readable

if TYPE_CHECKING:
    from tfdivcolor.studio.desk import Desk

# The formats in the page's order; "original" is the photograph's own format.
FORMATS = ("original", "png", "tiff", "jpeg", "webp", "psd", "recipe")
STRIP = "strip"
_JOBS = 20  # jobs whose files stay on disk


@dataclass(frozen=True)
class Order:
    """The content and format of a download.

    Attributes:
        items: list of (entry, state or None, ranks). None stands for the
            current step of the photograph's session and its chosen result.
        format: one of `FORMATS`.
        image_format: one of `settings.OUTPUT_FORMATS` for the pictures, or for
            those that a recipe makes; None for the photograph's own.
    """

    items: list[tuple[Entry, states.State | None, tuple[int, ...]]]
    format: str
    image_format: str | None


@dataclass
class Job:
    """An order in progress.

    Attributes:
        order: `Order`.
        done, total: ints. Numbers of files.
        state: "running", "ready", "failed" or "stopped".
        error: str, or None. The reason of the failure, one line.
        left_out: list of str. One line for each photograph that failed.
        path, name: Path and str, or None. The finished file.
        folder: Path, or None. Folder of the job's files.
    """

    order: Order
    total: int
    done: int = 0
    state: str = "running"
    error: str | None = None
    left_out: list[str] = field(default_factory=list)
    path: Path | None = None
    name: str | None = None
    folder: Path | None = None

    def described(self) -> dict[str, Any]:
        """The job's progress, as JSON values for the page."""
        size = self.path.stat().st_size if self.path else None
        return {"done": self.done, "total": self.total, "state": self.state,
                "error": self.error, "left_out": self.left_out,
                "name": self.name, "bytes": size}


def parse(values: Any, entries: Mapping[str, Entry]) -> Order:
    """Reads an order from the page.

    Args:
        values: JSON value.
        entries: the strip's photographs by their ids.

    Returns:
        `Order`.

    Raises:
        ValueError: the order is not valid; one line names the fault.
    """
    if not isinstance(values, dict) or (
            set(values) - {"recipe_format"} != {"items", "format"}):
        raise ValueError("export must be an object with items and format, and "
                         "for a recipe with recipe_format")
    chosen, items = values["format"], values["items"]
    if chosen not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)} "
                         f"(received {states.shown(chosen)})")
    recipe_format = values.get("recipe_format")
    if recipe_format not in (None, *OUTPUT_FORMATS):
        raise ValueError("recipe_format must be null or one of "
                         f"{', '.join(OUTPUT_FORMATS)} "
                         f"(received {states.shown(recipe_format)})")
    made = (recipe_format if chosen == "recipe"
            else chosen if chosen in OUTPUT_FORMATS else None)
    if items == STRIP:
        return Order([(entry, None, ()) for entry in entries.values()], chosen,
                     made)
    if not isinstance(items, list) or not items:
        raise ValueError(f"items must be a non-empty list or {STRIP!r} "
                         f"(received {states.shown(items)})")
    return Order([_item(item, entries) for item in items], chosen, made)


def _item(item, entries):
    if not isinstance(item, dict) or set(item) != {"photo", "state", "ranks"}:
        raise ValueError("item must be an object with photo, state and ranks")
    if not isinstance(item["photo"], str) or item["photo"] not in entries:
        raise ValueError("photo must be a photograph of the strip "
                         f"(received {states.shown(item['photo'])})")
    state, ranks = states.parse(item["state"]), item["ranks"]
    count = state.sampling.num_samples
    if (not isinstance(ranks, list) or not ranks
            or not all(isinstance(rank, int) and not isinstance(rank, bool)
                       and 0 <= rank < count for rank in ranks)):
        raise ValueError("ranks must be a non-empty list of whole numbers "
                         f"from 0 to {count - 1} "
                         f"(received {states.shown(ranks)})")
    return entries[item["photo"]], state, tuple(sorted(set(ranks)))


class Exports:
    """Runs orders one after the other.

    Args:
        folder: Path. Folder for finished files; existing files are removed.

    Attributes:
        jobs: dict of `Job` by name, the last 20.
    """

    def __init__(self, folder: Path):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="exports")
        self._lock = threading.Lock()
        self.jobs: dict[str, Job] = {}

    def start(self, desk: Desk, order: Order) -> str:
        """Starts a job in the background.

        Args:
            desk: `Desk`.
            order: `Order`.

        Returns:
            str, the job's name in `jobs`.
        """
        job = Job(order, sum(
            1 if order.format == "recipe" else max(1, len(ranks))
            for _, _, ranks in order.items))
        name = secrets.token_hex(12)
        with self._lock:
            self.jobs[name] = job
            while len(self.jobs) > _JOBS:
                self.stop(self.jobs.pop(next(iter(self.jobs))))
        job.folder = self._folder / name
        self._thread.submit(self._run, desk, job)
        return name

    def stop(self, job: Job) -> None:
        """Stops a job and removes its files."""
        job.state, job.path = "stopped", None
        if job.folder:
            shutil.rmtree(job.folder, ignore_errors=True)

    def close(self) -> None:
        """Stops all jobs and removes their files."""
        for job in self.jobs.values():
            self.stop(job)
        self._thread.shutdown(wait=False, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, desk, job):
        try:
            self._carry_out(desk, job)
        except _Stopped:
            self.stop(job)
        except Exception as error:  # a failed job leaves no files
            self.stop(job)
            job.state, job.error = "failed", _one_line(error)
            if not isinstance(error, (OSError, ValueError, MemoryError)):
                raise

    def _carry_out(self, desk, job):
        job.folder.mkdir()
        whole = job.folder / "results"
        names, single = [], b""
        with zipfile.ZipFile(whole, "w", allowZip64=True) as archive:
            for item in job.order.items:
                try:
                    for name, data in _files(desk, job, *item):
                        name = _free(name, names)
                        archive.writestr(name, data)
                        names.append(name)
                        single = data
                        job.done += 1
                except (ValueError, OSError) as error:
                    job.left_out.append(_one_line(error))
        if not names:
            raise ImageError(job.left_out[0])
        if len(names) == 1:
            whole.write_bytes(single)
            job.name = names[0]
        else:
            job.name = "tfdivcolor_results.zip"
        if job.state == "stopped":
            raise _Stopped
        job.path, job.state = whole, "ready"


def _files(desk, job, entry, state, ranks):
    """Makes the files of one photograph: yields pairs of name and bytes."""
    from tfdivcolor.coloring import batch, recipes

    model, form = desk.model(), job.order.format
    photo, checksum = entry.read()
    if state is None:
        session = desk.sessions.read(checksum, model.sha256)
        steps = session["history"]
        state = states.parse(
            steps[session["at"]]["state"] if steps else states.START)
        ranks = state.chosen,
    name = readable(entry.name)
    recipe = recipes.Recipe(
        name, checksum, None, model.name, model.sha256, state.sampling,
        state.steering, ranks, job.order.image_format)
    stem = finding.without_suffix(name)
    if form == "recipe":
        yield f"{stem}_recipe.json", recipe.to_json().encode()
        return
    work = recipe.applied(batch.Work(
        model.colorizer, model.name, model.sha256, recipe.sampling))
    # The networks' thread gives the same bytes as the command line.
    result = desk.worker.call(lambda _: work.colorize(photo))
    made = _layered(result) if form == "psd" else work.encoded(result)
    for ending, data in made:
        if job.state == "stopped":
            raise _Stopped
        yield f"{stem}_{ending}", data


def _layered(result):
    """Makes layered files of results: yields pairs of ending and bytes."""
    from tfdivcolor.images.encoding import layered

    photo, grey = result.photo, result.grey
    for index, rank in enumerate(result.rank):
        yield f"{rank:02d}.psd", layered.encode(
            grey, result.image(index), photo.alpha, photo.dpi, photo.exif)


class _Stopped(Exception):
    pass


def _free(name, taken):
    """A name that is new in the zip."""
    stem, dot, suffix = name.rpartition(".")
    number, found = 2, name
    while found in taken:
        found = f"{stem}~{number}{dot}{suffix}"
        number += 1
    return found


def _one_line(error):
    return str(error) if isinstance(error, ValueError) else reason(error)
