"""Every example of the pages and docstrings runs; doc_lists.py names the rest.

`test_examples` runs what takes seconds, in this process, and
`test_examples_in_a_shell` types every command of a page into a shell.  Both
take minutes on a busy machine; the default tests check that no block is
forgotten.
"""

import functools
import pathlib

import doc_folder
import numpy as np
import pytest
import tensorflow as tf
from doc_blocks import (
    MODULES,
    PAGES,
    commands,
    dialogue,
    docstrings,
    how,
    matches,
    page,
)
from doc_lists import BEFORE, FAIL, NO_PROGRAM, NOT_RUN, SERVERS, SLOW
from doc_reader import Reader, alike

import tfdivcolor as tdc
from tfdivcolor import data, models
from tfdivcolor.coloring.colorizer import Colorizer


def luminance_of_two(size):
    return batch_of_two(size)["luminance"]


def batch_of_two(size):
    return next(iter(photos(size).batches(2)))


def photos(size):
    return data.from_directory(
        "photographs", luminance_size=size, squash=True, progress=False)


def pictures_with_labels():
    return tf.data.Dataset.from_tensors((
        np.zeros([4, 64, 64, 3], np.uint8), np.zeros([4], np.int32)))


# Page or module -> the names that its examples may use: those that guides
# take from the start page, and docstrings from the arguments they describe.
GIVEN = {
    "docs/recolor.md": lambda: {
        "batches": pictures_with_labels(), "colorizer": tdc.load("flowers")},
    "docs/guides/steering.md": lambda: {"tdc": tdc, "colorizer": tdc.load()},
    "tfdivcolor/coloring/colorizer.py": lambda: {
        "tdc": tdc, "colorizer": tdc.load()},
    "tfdivcolor/coloring/random_recolor.py": lambda: {
        "tdc": tdc, "batches": pictures_with_labels()},
    "tfdivcolor/evaluation/likelihood.py": lambda: {
        "tdc": tdc, "colorizer": tdc.load(), "batch": batch_of_two(128)},
    "tfdivcolor/export/onnx/core.py": lambda: {"tdc": tdc},
    "tfdivcolor/export/saved_model.py": lambda: {
        "tdc": tdc, "pathlib": pathlib},
    "tfdivcolor/export/writer.py": lambda: {"tdc": tdc},
    "tfdivcolor/models/encoder.py": lambda: {
        "models": models, "luminance": luminance_of_two(128)},
    "tfdivcolor/models/mdn.py": lambda: {
        "colorizer": tdc.Colorizer.from_preset("regions"),
        "photos": photos(64), "luminance": luminance_of_two(64)},
    "tfdivcolor/models/vae.py": lambda: {"tdc": tdc, "photos": photos(64)},
}


@pytest.fixture(scope="module")
def weights():
    """Loads each of the shipped weights once, frozen once, for all pages."""
    load = functools.cache(Colorizer.load)

    def frozen(weights):
        colorizer = load(str(tdc.presets.find(weights)))
        if "freeze" not in vars(colorizer):
            colorizer.freeze()
            colorizer.freeze = lambda: colorizer
        return colorizer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Colorizer, "load", staticmethod(frozen))
        yield


@pytest.fixture
def follow(tmp_path, monkeypatch):
    """Follows a page or a module's docstrings, in a folder of its own.

    Returns the `Reader`, who has done so.
    """
    monkeypatch.chdir(tmp_path)
    readers = []

    def run(path, in_a_shell):
        reader = Reader(in_a_shell)
        readers.append(reader)
        doc_folder.make(tmp_path, photographs=44 if in_a_shell else 3)
        if in_a_shell:
            doc_folder.make_checkout(tmp_path)
            for command in BEFORE.get(path, []):
                reader.command(command)
        parse = docstrings if path.endswith(".py") else page
        document = parse(path, reader.evaluators)
        document.namespace.update(GIVEN.get(path, dict)())
        for example in document:
            try:
                example.evaluate()
            except Exception as error:
                error.add_note(f"in {path}, line {example.line}")
                raise
        return reader

    yield run
    for reader in readers:
        reader.stop()


# --- What there is -----------------------------------------------------------


def pieces(path):
    """list of (language, text) of the commands, code and more of a page."""
    found = []
    parse = docstrings if path.endswith(".py") else page
    for example in parse(path, {}):
        text, language = example.parsed, example.region.lexemes["language"]
        texts = [text]
        if language == "text":
            language = "commands"
            texts = [command for command, _ in dialogue(text) if command]
        elif language == "commands":
            texts = commands(text)
        found += [(language, text) for text in texts]
    return found


def kinds(path):
    """How the commands and the code of a page run."""
    return {how(text) for language, text in pieces(path)
            if language != "none"}


EVERYTHING = [*PAGES, *MODULES]


@pytest.mark.parametrize("path", EVERYTHING)
def test_every_block_is_run_or_listed(path):
    for language, text in pieces(path):
        assert language in ("python", "none") or (
            language == "commands" and (
                how(text) != "default" or text.startswith("tfdivcolor "))), (
            f"{text!r} must be run, or listed in doc_lists.py")


def test_every_entry_is_for_something():
    texts = [text for path in EVERYTHING for _, text in pieces(path)]
    for pattern in [*NOT_RUN, *NO_PROGRAM, *SERVERS, *SLOW, *FAIL]:
        assert any(matches(text, [pattern]) for text in texts), pattern
    assert set(BEFORE) | set(GIVEN) <= set(EVERYTHING)


# --- All of it, run ----------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [path for path in EVERYTHING if "default" in kinds(path)])
def test_examples(path, follow, weights):
    assert follow(path, in_a_shell=False).ran


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [path for path in EVERYTHING if kinds(path) - {"listed"}])
def test_examples_in_a_shell(path, follow, weights):
    reader = follow(path, in_a_shell=True)
    assert all(how(text) == "listed" for text in reader.skipped)


# --- How a page is read ------------------------------------------------------


def test_commands_are_taken_whole():
    assert commands(r"""
a --hint 1,2,#b5551e \
    --out b   # says c
# d

X='{"e":
  1}' f # g
""") == ["a --hint 1,2,#b5551e     --out b", "X='{\"e\":\n  1}' f"]
    with pytest.raises(ValueError, match="must be whole"):
        commands("a 'b")


def test_output_is_compared():
    line = "8 colourings of 1 photograph (weights a, 3f0...); wrote 1,500 kB"
    assert alike(line, line.replace("1,500", "1,550"))
    assert not alike(line, line.replace("1,500", "2,500"))
    assert not alike(line, line.replace("wrote", "see"))


def test_an_unknown_command_is_no_example(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("# A page\n\n    frobnicate photo.jpg\n")
    reader = Reader(in_a_shell=False)
    example, = page(path, reader.evaluators)
    with pytest.raises(ValueError, match="frobnicate photo.jpg: must be run"):
        example.evaluate()
