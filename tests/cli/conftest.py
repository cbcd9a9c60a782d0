"""Weights and calls of the command that its test files share."""

import pytest
from calls import photograph, put

from tfdivcolor import cli


@pytest.fixture(scope="session")
def weights(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    tiny.save(folder, data="none at all")
    return folder


@pytest.fixture
def photo(tmp_path):
    return put(tmp_path / "in" / "photo.png", photograph())


@pytest.fixture
def run(weights, tmp_path, capsys):
    """Calls `colorize`; returns exit code, stdout and stderr."""
    def call(*arguments, out=tmp_path / "out"):
        code = cli.main(["colorize", "--weights", str(weights), "--out",
                         str(out), *map(str, arguments)])
        return code, *capsys.readouterr()
    return call
