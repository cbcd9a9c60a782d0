"""The notebooks of examples/ are those that their scripts make."""

import importlib
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    """Makes the modules of docs/tools importable, as the build does."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "tools"))


def kept(name):
    return nbformat.read(ROOT / "examples" / f"{name}.ipynb", as_version=4)


def said(cell):
    """Kinds of a cell's outputs, and their texts without numbers."""
    return [(output.output_type, sorted(output.get("data", {})), re.sub(
        r"[\d.]+", "0", output.get("text", output.get("data", {}).get(
            "text/plain", "")))) for output in cell.get("outputs", [])]


def test_every_script_has_its_notebook_and_page():
    assert NAMES == sorted(
        path.stem for path in (ROOT / "examples").glob("*.ipynb"))
    pages = "".join(path.read_text() for path in (
        ROOT / "docs" / "examples").glob("*.md"))
    assert NAMES == sorted(re.findall(r"notebooks page (\w+)", pages))


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_those_of_the_script(name):
    script = importlib.import_module("notebooks").script(name)
    nbformat.validate(script)
    assert [(cell.cell_type, cell.source) for cell in kept(name).cells] == [
        (cell.cell_type, cell.source) for cell in script.cells]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_there_small_and_of_no_machine(name):
    path = ROOT / "examples" / f"{name}.ipynb"
    assert path.stat().st_size < 600_000
    cells = [cell for cell in kept(name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [
        *range(1, len(cells) + 1)]
    assert not any(cell.metadata for cell in cells)  # times of execution
    outputs = [output for cell in cells for output in cell.outputs]
    assert any("image/jpeg" in output.get("data", {}) for output in outputs)
    for output in outputs:
        assert output.output_type in ("stream", "display_data",
                                      "execute_result")
        assert output.get("name") != "stderr", output.text
        text = output.get("text", output.get("data", {}).get("text/plain", ""))
        assert not re.search(r"(?<!\w)/\w+/|warning|\b0x|\d:\d\d\b", text,
                             re.I), text


def test_a_page_shows_text_and_pictures():
    name = NAMES[0]
    page = importlib.import_module("notebooks").page(name)
    cells = kept(name).cells
    assert page.startswith(cells[0].source)
    assert page.count("```python\n") == sum(
        cell.cell_type == "code" for cell in cells)
    assert page.count('src="data:image/jpeg;base64,') == sum(
        "image/jpeg" in output.get("data", {})
        for cell in cells for output in cell.get("outputs", []))
    # Links are those of a page below docs/.
    for target in re.findall(r"\]\(([^)#\s]+)", page):
        assert (ROOT / "docs" / "examples" / target).is_file(), target


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_new_run_says_the_same(name):
    made = importlib.import_module("notebooks").executed(name)
    assert [said(cell) for cell in made.cells] == [
        said(cell) for cell in kept(name).cells]
