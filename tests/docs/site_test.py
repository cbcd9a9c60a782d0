"""The site: its navigation, links and generated pages."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from browsers import chromium

import tfdivcolor
from tfdivcolor import cli

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix()
               for path in DOCS.rglob("*.md"))
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text())


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    """Makes the modules of docs/tools importable, as the build does."""
    monkeypatch.syspath_prepend(str(DOCS / "tools"))


def _markdown(page):
    """Text of a page as the build reads it, included files and all."""
    hooks = importlib.import_module("hooks")
    source = hooks.INCLUDED.get(page, f"docs/{page}")
    return hooks.relinked((ROOT / source).read_text(), page, source)


# --- Pages and links ---------------------------------------------------------


def _paths(nav):
    for entry in nav:
        value = entry if isinstance(entry, str) else next(iter(entry.values()))
        yield from [value] if isinstance(value, str) else _paths(value)


def test_the_navigation_has_every_page_once():
    assert sorted(_paths(CONFIG["nav"])) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_exist(page):
    folder = (DOCS / page).parent
    text = re.sub(r"```.*?```|`[^`\n]*`", "", _markdown(page), flags=re.S)
    for target in re.findall(r"\]\(([^)\s#]+)", text):
        if "://" not in target:
            assert (folder / target).is_file(), target


def test_links_of_included_files_become_links_of_pages():
    hooks = importlib.import_module("hooks")
    made = hooks.relinked(
        "[a](docs/formats.md#depth) [b](serving/README.md) [c](setup.py) "
        "[d](https://example.org/x) ![e](docs/results.jpg)",
        "guides/x.md", "README.md")
    assert made == (
        "[a](../formats.md#depth) [b](../guides/runbook.md) c (`setup.py`) "
        "[d](https://example.org/x) ![e](../results.jpg)")


def test_pictures_are_small_and_shown():
    shown = "".join(_markdown(page) for page in PAGES)
    source = (DOCS / "tools" / "pictures.py").read_text()
    studio = (DOCS / "tools" / "studio_pictures.py").read_text()
    for path in (DOCS / "pictures").iterdir():
        assert path.stat().st_size < 100_000, path
        assert f"pictures/{path.name}" in shown, path
        assert (f"\ndef {path.stem}(colorizer):" in source
                or f'save(browser, "{path.stem}"' in studio), path


# --- Generated pages ---------------------------------------------------------


def test_every_public_name_is_in_the_reference():
    text = "".join(
        path.read_text() for path in (DOCS / "reference").glob("*.md"))
    shown = re.findall(r"heading: tfdivcolor\.(\w+)", text)
    assert sorted(shown) == sorted(set(tfdivcolor.__all__) - {"__version__"})


def _squeezed(text):
    """Text without what line breaks and Markdown change."""
    return re.sub(r"[\s\\`]", "", text)


@pytest.mark.parametrize("command", ["colorize", "evaluate", "export", "info"])
def test_the_command_line_reference_is_the_help(command, capsys, monkeypatch):
    page = importlib.import_module("command_line").commands()
    section = re.search(
        rf"^## tfdivcolor {command}\n(.*?)(?=^## |\Z)", page, re.M | re.S)[1]
    monkeypatch.setenv("COLUMNS", "1000")  # no hyphenated words
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    said = capsys.readouterr().out
    described = dict(re.findall(r"^`(.+)`\n:   (.*)$", section, re.M))
    options = {option for name in described
               for option in re.findall(r"(?<![\w-])--?[a-z][\w-]*", name)}
    usage = re.findall(r"(?<=\[)--?[a-z][\w-]*|(?<=\| )--[\w-]+", said)
    assert set(usage) - {"-h"} <= options
    assert len(described) == len(re.findall(r"^  \S.*", said, re.M)) - 1
    for text in described.values():
        assert _squeezed(text) in _squeezed(said)


def test_programs_are_described():
    page = importlib.import_module("command_line").programs()
    for name in ("training.train", "serving.client", "serving.bulk"):
        assert f"## python -m {name}\n" in page
    assert "`--strategy {none,mirrored,multiworker}`" in page


def test_the_table_of_weights_has_all_that_are_shipped():
    page = importlib.import_module("weights").table()
    shipped = {path.parent.name for path in (
        ROOT / "tfdivcolor" / "weights").glob("*/colorizer.json")}
    assert set(re.findall(r"^\| \[(\w+)\]", page, re.M)) == shipped


def test_examples_in_docstrings_become_code():
    griffe = pytest.importorskip("griffe")
    assert griffe
    as_code = importlib.import_module("examples").as_code
    assert as_code("Does.\n\nExample:\n    x = 1\n\n    y = 2\n") == (
        "Does.\n\nExample:\n    ```python\n    x = 1\n\n    y = 2\n    ```\n")
    assert as_code("Example:\n    >>> 1\n") == "Example:\n    >>> 1\n"


# --- Elsewhere ---------------------------------------------------------------


def test_the_same_pythons_everywhere():
    nox = (ROOT / "noxfile.py").read_text()
    pythons = re.findall(r"3\.\d+", re.search(r"PYTHONS = (.*)", nox)[1])
    workflow = yaml.safe_load(
        (ROOT / ".github" / "workflows" / "test.yml").read_text())
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert matrix == pythons
    assert f'python_requires=">={pythons[0]}"' in (
        ROOT / "setup.py").read_text()
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert f"Python {', '.join(pythons[:-1])} and {pythons[-1]}" in text


def test_citation_has_the_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == tfdivcolor.__version__


# --- Slow --------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folder of the site, built strictly."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir",
         folder], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_built_pages_name_no_other_host(site):
    for page in PAGES:
        text = (site / page).with_suffix(".html").read_text()
        asked = re.findall(
            r"<(?:script|link|img|iframe|source)\b[^>]*"
            r'(?:src|href)="?([^" >]+)', text)
        assert asked
        # Pictures in the page itself name none, whatever their base64.
        assert not [url for url in asked
                    if "//" in url and not url.startswith("data:")]
        assert 'class="arithmatex' not in text
        assert 'class="mermaid' not in text
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import",
                             style.read_text()), style


@pytest.mark.slow
def test_a_browser_shows_the_pages(site, tmp_path):
    if not chromium.find():
        pytest.skip("needs Chromium")
    with chromium.Browser(tmp_path) as page:
        page.open(f"{site.as_uri()}/index.html?q=temperature")
        page.wait("document.querySelectorAll('.md-search-result__item')"
                  ".length > 0", 30)
        page.resize(390, 844, mobile=True)
        for name in PAGES:
            page.open(f"{site.as_uri()}/{name.removesuffix('.md')}.html")
            # A phone does not scroll sideways.
            assert page.run("document.documentElement.scrollWidth") == 390
        assert not page.errors
        assert {url.partition(":")[0] for url in page.requests} <= {
            "file", "data"}


@pytest.mark.slow
def test_the_signatures_are_those_of_an_export(tmp_path):
    from tfdivcolor import export, presets

    contract = importlib.import_module("contract")
    version = export.save(tmp_path / "photos", presets.load("photos"))
    found = json.loads((version / export.CONTRACT).read_text())
    assert contract.of(found) == json.loads(contract.KEPT.read_text())
    assert set(contract.SAID) == set(found["signatures"])
