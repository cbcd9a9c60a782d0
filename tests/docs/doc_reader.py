"""A reader who follows a page: types its commands, runs its code."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
from doc_blocks import ROOT, commands, dialogue, how, matches
from doc_lists import FAIL, SERVERS
from sybil.evaluators.python import PythonEvaluator

from tfdivcolor import cli

ADDRESS = "http://127.0.0.1:8501/v1/models/tfdivcolor"
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


class Reader:
    """Evaluates the blocks of one page, in order.

    Args:
        in_a_shell: bool. Whether to run everything, commands each in a
            process of its own as a reader's shell does it; or only what is
            not slow, `tfdivcolor` in this process.

    Attributes:
        evaluators: dict from a block's language to what evaluates it.
        ran, skipped: lists of the commands and code that did and did not run.
    """

    def __init__(self, in_a_shell):
        self.in_a_shell = in_a_shell
        self.ran, self.skipped = [], []
        self._said = None  # what the last block printed
        self._server = None
        self.evaluators = {"python": self.python, "commands": self.commands,
                           "text": self.shown}

    def _runs(self, text):
        kind = how(text)
        runs = kind == "default" or self.in_a_shell and kind != "listed"
        (self.ran if runs else self.skipped).append(text)
        return runs

    def python(self, example):
        self._said = None
        if self._runs(example.parsed):
            with _captured() as said:
                PythonEvaluator()(example)
            self._said = said.getvalue()

    def commands(self, example):
        self._said = None
        for command in commands(example.parsed):
            self.command(command)

    def command(self, command):
        """Runs a command, unless it is listed or slow."""
        if not self._runs(command):
            return
        if how(command) == "server":
            self._start(command)
            return
        code, said = (_shell if self.in_a_shell else _here)(command)
        self._said = (self._said or "") + said
        assert code == int(matches(command, FAIL)), said

    def shown(self, example):
        """Compares what a page shows with what was printed."""
        for command, lines in dialogue(example.parsed):
            if command is not None:
                self._said = None
                self.command(command)
            if self._said is None:  # it did not run
                continue
            said = re.split(r"[\r\n]+", self._said)
            for line in lines:
                assert any(alike(line, other) for other in said), (
                    f"{line!r} must be printed (received {self._said})")

    # --- A server ------------------------------------------------------------

    def _start(self, command):
        self.stop()
        for pattern, instead in SERVERS.items():
            if matches(command, [pattern]):
                command = instead or command
        opened = Path("opened.html")
        opened.unlink(missing_ok=True)
        self._server = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], stdin=subprocess.DEVNULL,
            env={**_environment(),
                 "BROWSER": f"curl --silent --output {opened} %s"})
        end = time.monotonic() + 120
        while not (opened.exists() if "studio" in command else _available()):
            assert self._server.poll() is None, f"{command} ended"
            assert time.monotonic() < end, f"{command} does not answer"
            time.sleep(0.2)

    def stop(self):
        """Ends the page's server."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(60)
            self._server = None


def _available():
    """Whether a model server answers and has its model."""
    with contextlib.suppress(OSError), urllib.request.urlopen(
            ADDRESS, timeout=10) as answer:
        return b"AVAILABLE" in answer.read()
    return False


def _here(command):
    words = shlex.split(command)
    if words[0] != "tfdivcolor":
        raise ValueError(f"{command}: must be run, or listed in doc_lists.py")
    with _captured() as said:
        code = cli.main(words[1:])
    return code, said.getvalue()


def _shell(command):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], env=_environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=1800, check=False)
    return done.returncode, done.stdout.decode()


def _environment():
    """That of a reader in a checkout, its environment activated."""
    own = os.path.dirname(sys.executable)
    environment = {
        **os.environ, "PATH": f"{own}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT), "PYTHON": sys.executable,
        "XDG_DATA_HOME": os.path.abspath("data home")}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return environment


@contextlib.contextmanager
def _captured():
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        yield said


def alike(line, other):
    """Whether two lines say the same, with numbers that are near.

    Machines round differently, and the page may have another JPEG file.
    """
    line, other = (re.sub(r"\s+(?=]|\s|$)", "", text) for text in (line, other))
    if _NUMBER.sub("0", line) != _NUMBER.sub("0", other):
        return False
    numbers = [[float(number.replace(",", ""))
                for number in _NUMBER.findall(text)]
               for text in (line, other)]
    return np.allclose(*numbers, rtol=0.15, atol=0.1)
