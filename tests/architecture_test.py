"""docs/architecture.md draws what the import contract says."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = [["benchmarks"], ["serving", "training"]]


def _contract():
    """The layers of rooms, from top to bottom: sorted lists of names."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    rooms = next(contract for contract in tools["importlinter"]["contracts"]
                 if contract.get("containers") == ["tfdivcolor"])
    return [sorted(name.strip() for name in layer.split("|"))
            for layer in rooms["layers"]]


def _drawn():
    """The same, read from the first diagram: who points to whom."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    diagram = re.search(r"```mermaid\nflowchart TD\n(.*?)```", text, re.S)[1]
    diagram = re.sub(r'\["[^"]*"\]', "", diagram)
    layers, below = [], {}
    for line in diagram.splitlines():
        upper, arrow, lower = line.partition("-->")
        if arrow:
            for name in re.findall(r"\w+", upper):
                below[name] = sorted(re.findall(r"\w+", lower))
    names = ["benchmarks"]
    while names:
        layers.append(names)
        following = {tuple(below.pop(name, ())) for name in names}
        assert len(following) == 1, "a layer's rooms have the same ones below"
        names = list(following.pop())
    assert not below, f"not connected: {below}"
    return layers


def test_the_diagram_is_the_contract():
    assert _drawn() == PROGRAMS + _contract()


def test_every_room_is_in_the_contract():
    package = ROOT / "tfdivcolor"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    rooms |= {path.stem for path in package.glob("[!_]*.py")}
    assert rooms == {name for layer in _contract() for name in layer}


def test_files_and_rooms_stay_small():
    for path in (ROOT / "tfdivcolor").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path
    for top in ("tfdivcolor", "training", "serving", "benchmarks"):
        for init in (ROOT / top).rglob("__init__.py"):
            assert len(list(init.parent.glob("[!_]*.py"))) <= 12, init.parent


def test_files_named_in_the_table_exist():
    text = (ROOT / "docs" / "architecture.md").read_text()
    for name in re.findall(r"`([\w/]+(?:\.py|/))`", text):
        if name == "training/":
            continue
        places = [ROOT / name, ROOT / "tfdivcolor" / name]
        assert any(place.exists() for place in places), name
