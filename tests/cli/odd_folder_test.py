"""A folder of everything that a disk may hold: each photograph is coloured,
each other thing counted, and nothing is done twice after a kill."""

import collections
import ctypes
import io
import os
import re
import signal
import stat
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from calls import files_in, photograph, said
from PIL import Image

from tfdivcolor import images

# Calls the command; photographs called so vanish once they are listed.
SCRIPT = """
import os, resource, sys
from tfdivcolor import cli
from tfdivcolor.coloring import listing
find = listing.find_pictures
def find_pictures(*arguments):
    found = find(*arguments)
    for path, _ in found.pictures:
        if path.name.startswith("vanishing"):
            os.unlink(path)
    return found
listing.find_pictures = find_pictures
code = cli.main(sys.argv[1:])
print("memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
sys.exit(code)
"""

_OVERRIDE, _SEARCH, _DROP = 1, 2, 24  # CAP_DAC_*, PR_CAPBSET_DROP


def drop_leave():
    """Takes from root the leave to read what nobody may read."""
    if os.geteuid() == 0:
        for capability in (_OVERRIDE, _SEARCH):
            assert not ctypes.CDLL(None).prctl(_DROP, capability, 0, 0, 0)


def start(folder, out, weights, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "colorize", folder, "--out", out,
         "--weights", weights, "-n", "1", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=drop_leave)


def encoded(image_format, seed):
    file = io.BytesIO()
    Image.fromarray(photograph(seed % 50, 24, 32)).save(file, image_format)
    return file.getvalue()


def huge():
    """A PNG file that says it has 100,000 x 100,000 pixels."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))

    return (b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", 10**5, 10**5, 8, 0, 0, 0,
                                         0))
            + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))


class OddFolder:
    """Makes a folder of odd entries.

    Attributes:
        photographs: set of str. Readable ones, by their relative paths.
        others: Counter of kinds that are no photographs.
        failing: set of str. Relative paths that must be reported.
    """

    def __init__(self, folder):
        self.folder = folder
        self.photographs, self.failing = set(), set()
        self.others = collections.Counter()
        self._closed = []

    def fill(self, rounds):
        """Makes about 35 entries a round."""
        rng = np.random.default_rng(0)
        for number in range(rounds):
            depth = int(rng.integers(0, 4)) if number else 40
            parent = "/".join(
                [f"r{number % 7}", *(f"d{level}" for level in range(depth))])
            (self.folder / parent).mkdir(parents=True, exist_ok=True)
            self._round(f"{parent}/", number)
        return self

    def _round(self, at, number):
        for name, image_format in (
                (f"a{number}.jpg", "JPEG"), (f"b{number}.PNG", "PNG"),
                (f"same{number}.jpg", "JPEG"), (f"same{number}.tif", "TIFF"),
                (f"IMG{number}.bmp", "BMP"), (f"img{number}.webp", "WEBP"),
                (f"wrong{number}.png", "JPEG"), (f"scan {number}", "TIFF"),
                (f"new\nline{number}.jpg", "JPEG"),
                (os.fsdecode(b"caf\xe9%d.gif" % number), "GIF"),
                (f"phone{number}.jfif", "JPEG")):
            self._write(at + name, encoded(image_format, number))
            self.photographs.add(at + name)
        self._link(f"{at}linked{number}.jpg", f"a{number}.jpg")
        self.photographs.add(f"{at}linked{number}.jpg")
        for name, data in (
                (f"huge{number}.png", huge()), (f"empty{number}.jpg", b""),
                (f"text{number}.jpg", b"Dear diary"),
                (f"cut{number}.png", encoded("PNG", number)[:-100]),
                (f"closed{number}.jpg", encoded("JPEG", number)),
                (f"closed{number}", encoded("JPEG", number)),
                (f"vanishing{number}.jpg", encoded("JPEG", number))):
            self._write(at + name, data)
            self.failing.add(at + name)
            if name.startswith("closed"):
                self._close(at + name)
        self._write(f"{at}shut{number}/in.jpg", encoded("JPEG", number))
        self._close(f"{at}shut{number}")
        self.failing.add(f"{at}shut{number}")
        for name in (f"notes{number}.txt", f"raw{number}.NEF", f"x{number}.xml",
                     f"README{number}"):
            self._write(at + name, b"BIM or II: no picture")
            self.others[os.path.splitext(name)[1].lower()
                        or "without a suffix"] += 1
        self._write(f"{at}.hidden{number}.jpg", b"of no interest")
        os.mkfifo(self.folder / f"{at}pipe{number}.jpg")
        os.mkfifo(self.folder / f"{at}pipe{number}")
        os.mknod(self.folder / f"{at}socket{number}.png",
                 stat.S_IFSOCK | 0o600)
        self.others.update(["FIFO", "FIFO", "socket"])
        for name, target in (
                ("nowhere", "nothing"), ("round", f"round{number}.jpg")):
            self._link(f"{at}{name}{number}.jpg", target)
            self.others["link to nothing"] += 1
        for name, target in (("itself", "."), ("up", "..")):
            self._link(f"{at}{name}{number}", target)
            self.others["linked folder"] += 1

    def restore(self):
        """Makes anew what has vanished."""
        for name in self.failing:
            if os.path.basename(name).startswith("vanishing"):
                self._write(name, encoded("JPEG", 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # So that the folder can be removed.
        for path in self._closed:
            path.chmod(0o700)

    def _write(self, name, data):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)

    def _link(self, name, target):
        (self.folder / name).symlink_to(target)

    def _close(self, name):
        path = self.folder / name
        path.chmod(0)
        self._closed.append(path)


@pytest.fixture
def odd(tmp_path):
    with OddFolder(tmp_path / "in") as folder:
        yield folder


def _line_of(name):
    """How a message writes a path."""
    return " ".join(name.splitlines()).encode(
        "utf-8", "backslashreplace").decode()


def _counted(message):
    """Counter of kinds of "5 other files were skipped (2 .txt, ...)"."""
    total, kinds = re.fullmatch(
        r"(\d+) other files were skipped \((.*)\)", message).groups()
    counts = collections.Counter()
    for part in kinds.split(", "):
        number, kind = part.split(" ", 1)
        kind = kind.replace("links to", "link to")
        counts[re.sub(r"^(FIFO|socket|linked folder)s$", r"\1", kind)] = int(
            number)
    assert counts.total() == int(total)
    return counts


def _check_messages(odd, stderr):
    *messages, last = said(stderr)
    assert _counted(last) == odd.others
    failures = {f"{odd.folder}/{_line_of(name)}" for name in odd.failing}
    assert len(messages) == len(failures)
    assert {message.partition(": must ")[0] for message in messages
            } == failures


def _check_outputs(odd, out):
    """One result of each photograph, at its own pixels' size."""
    results = {re.sub(r"_00\.\w+$", "", name): out / name
               for name in files_in(out) if re.search(r"_00\.\w+$", name)}
    # Those of one name, on any file system, have their suffixes in theirs.
    assert results.keys() == {
        name if re.search("/(same|img)[^/]*$", name, re.I)
        else os.path.splitext(name)[0] for name in odd.photographs}
    for path in results.values():
        assert images.read(path).pixels.shape == (24, 32, 3)


def _complete(out):
    """Records of what is complete, and when they were written."""
    return {path: path.stat().st_mtime_ns for path in out.rglob("*.json")
            if '"complete": true' in path.read_text()}


def _run(odd, out, weights):
    odd.restore()
    with start(odd.folder, out, weights) as process:
        stdout, stderr = process.communicate()
    assert process.returncode == 1, stderr
    *_, summary, memory = stdout.splitlines()
    return summary, stderr, int(memory.removeprefix("memory "))


def _kill(odd, out, weights, after):
    """Kills a run when it has written so many records more."""
    odd.restore()
    before = len(_complete(out)) if out.exists() else 0
    deadline = time.monotonic() + 600
    with start(odd.folder, out, weights) as process:
        # What it says is little enough for the pipes; nobody reads it.
        while len(list(out.rglob("*.json"))) < before + after:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def _check_whole_and_killed(odd, weights, tmp_path, kills):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    summary, stderr, memory = _run(odd, whole, weights)
    number = len(odd.photographs)
    assert f" of {number} photographs " in summary
    assert f", {len(odd.failing)} failed " in summary
    _check_messages(odd, stderr)
    _check_outputs(odd, whole)

    for after in kills:
        _kill(odd, killed, weights, after)
    done = _complete(killed)
    assert 0 < len(done) < number
    summary, stderr, _ = _run(odd, killed, weights)
    assert f", {len(done)} already there" in summary
    _check_messages(odd, stderr)
    assert all(path.stat().st_mtime_ns == changed
               for path, changed in done.items())
    # Hidden parts may be left of what was being written.
    lost = {name: data for name, data in files_in(killed).items()
            if not os.path.basename(name).startswith(".")}
    expected = files_in(whole)
    failed = "tfdivcolor_failed.txt"
    assert lost.pop(failed) == expected.pop(failed)
    assert lost == expected

    summary, stderr, _ = _run(odd, killed, weights)
    assert f", {number} already there" in summary
    _check_messages(odd, stderr)
    return memory


def test_a_folder_of_odd_entries(odd, weights, tmp_path):
    odd.fill(2)
    _check_whole_and_killed(odd, weights, tmp_path, [4])


@pytest.mark.slow
def test_a_folder_of_a_thousand_odd_entries(odd, weights, tmp_path):
    with OddFolder(tmp_path / "little") as little:
        memory = _run(little.fill(1), tmp_path / "little_out", weights)[2]
    odd.fill(32)
    entries = sum(len(folders) + len(files)
                  for _, folders, files in os.walk(odd.folder))
    assert entries > 1000
    more = _check_whole_and_killed(
        odd, weights, tmp_path, [20, 1, 50, 100, 7])
    assert more < memory + 100  # megabytes


def test_linked_folders_are_followed_once(odd, weights, tmp_path):
    odd.fill(1)
    odd.restore()
    with start(odd.folder, tmp_path / "out", weights, "--follow-links",
               "--quiet") as process:
        _, stderr = process.communicate()
    assert process.returncode == 1
    assert len(said(stderr)) == len(odd.failing)
    _check_outputs(odd, tmp_path / "out")
