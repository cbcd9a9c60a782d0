"""The photographs in memory, and the queue of requests."""

import asyncio

import numpy as np
import pytest
from PIL import Image

from tfdivcolor.images import ImageError
from tfdivcolor.studio import desk as desks
from tfdivcolor.studio.desk import Desk
from tfdivcolor.studio.strip import Strip
from tfdivcolor.studio.worker import Replaced, Worker


@pytest.fixture
def photographs(tmp_path):
    paths = [tmp_path / f"{number:02d}.png" for number in range(12)]
    for number, path in enumerate(paths):
        Image.fromarray(np.full([6, 8], number, np.uint8)).save(path)
    return paths


@pytest.fixture
def desk(tmp_path, photographs):
    folder = tmp_path / "data"
    for part in (folder, folder / "added", folder / "sessions"):
        part.mkdir()
    desk = Desk(folder, Strip(folder, photographs, []),
                Worker(lambda: None), "none")
    yield desk
    desk.close()


def test_few_photographs_stay_open(desk):
    async def open_all():
        for entry in desk.strip.entries.values():
            easel = await desk.easel(entry)
            assert easel.photo.name == entry.name
            assert await desk.easel(entry) is easel  # read once
        last = list(desk.strip.entries)[-desks._MOST_OPEN:]
        assert list(desk._easels) == last
        desk.remove(entry)
        assert entry.id not in desk._easels
        assert entry.path.exists()  # the strip deletes only added files

    asyncio.run(open_all())


def test_a_file_that_cannot_be_read_is_tried_again(desk, photographs):
    async def try_twice():
        entry = next(iter(desk.strip.entries.values()))
        whole = entry.path.read_bytes()
        entry.path.write_bytes(whole[:40])
        with pytest.raises(ImageError, match="^00.png: "):
            await desk.easel(entry)
        entry.path.write_bytes(whole)
        assert (await desk.easel(entry)).width == 8

    asyncio.run(try_twice())


def test_the_newest_request_of_a_tab_is_answered():
    async def ask():
        worker, begun = Worker(lambda: "networks"), []

        def job(name):
            def run(loaded):
                begun.append(name)
                return loaded, name
            return run

        slow = asyncio.ensure_future(worker.run(
            lambda _: asyncio.run(asyncio.sleep(0.2))))
        old, other, new = (
            asyncio.ensure_future(worker.run(job(name), replaces))
            for name, replaces in (("old", ("tab", "results")),
                                   ("other", ("another tab", "results")),
                                   ("new", ("tab", "results"))))
        await slow
        with pytest.raises(Replaced):
            await old
        assert await other == ("networks", "other")
        assert await new == ("networks", "new")
        assert begun == ["other", "new"]
        worker.stop()

    asyncio.run(ask())
