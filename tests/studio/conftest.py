"""Fixtures: one studio with small random weights for all test files."""

import os

import pytest
import studio_photos
from browsers import chromium, firefox
from studio_page import Page
from studio_server import Studio


@pytest.fixture(scope="session")
def weights(tiny_photos, tmp_path_factory):
    """A folder of small random weights."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    tiny_photos.save(folder, data="none at all")
    return folder


@pytest.fixture(scope="session")
def plates(tmp_path_factory):
    """A folder of photographs for the start of the studio; one is damaged."""
    folder = tmp_path_factory.mktemp("plates")
    studio_photos.write(folder, "1 first.png")
    studio_photos.write(folder, "2 turned.jpg", size=(90, 60),
                        exif=studio_photos.turned())
    studio_photos.write_16_bits(folder / "3 deep.tif")
    path = studio_photos.write(folder, "4 broken.png")
    path.write_bytes(path.read_bytes()[:-200])
    studio_photos.write(folder, os.fsdecode(b"5 gr\xfcn.png"))
    return folder


@pytest.fixture(scope="session")
def studio(weights, plates, tmp_path_factory):
    """A running studio; its strip starts with the plates."""
    with Studio(tmp_path_factory.mktemp("studio"), weights, plates) as studio:
        yield studio
    # No request of any test may cause a traceback.
    assert "Traceback" not in studio.log()


@pytest.fixture
def photo(studio, tmp_path):
    """The id of a new photograph in the strip, for one test only."""
    identity = studio.add(studio_photos.write(tmp_path))
    yield identity
    studio.request("DELETE", f"/api/photos/{identity}")


@pytest.fixture
def page(browser, studio):
    """The page in Chromium, as on a first visit; it may log no error."""
    page = Page(browser, studio)
    yield page
    page.leave()


@pytest.fixture(scope="session", params=[chromium, firefox],
                ids=["chromium", "firefox"])
def any_browser(request, tmp_path_factory):
    """Each browser of this machine."""
    with _started(request.param, tmp_path_factory) as browser:
        yield browser


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A headless Chromium."""
    with _started(chromium, tmp_path_factory) as browser:
        yield browser


def _started(driver, tmp_path_factory):
    if driver.find() is None:
        pytest.skip(f"needs one of {', '.join(driver.NAMES)}")
    return driver.Browser(tmp_path_factory.mktemp("profile"))
