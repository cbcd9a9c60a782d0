"""One studio with small random weights, which the test files share."""

import os

import pytest
import studio_photos
from browsers import chromium, firefox
from studio_page import Page
from studio_server import Studio


@pytest.fixture(scope="session")
def weights(tiny_photos, tmp_path_factory):
    """Folder of small random weights."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    tiny_photos.save(folder, data="none at all")
    return folder


@pytest.fixture(scope="session")
def plates(tmp_path_factory):
    """Folder of photographs that the studio is started with; one is bad."""
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
    """A running studio whose strip begins with the plates."""
    with Studio(tmp_path_factory.mktemp("studio"), weights, plates) as studio:
        yield studio
    # Whatever was asked of it, it never lost its way.
    assert "Traceback" not in studio.log()


@pytest.fixture
def photo(studio, tmp_path):
    """Id of a photograph in the strip that no other test has."""
    identity = studio.add(studio_photos.write(tmp_path))
    yield identity
    studio.request("DELETE", f"/api/photos/{identity}")


@pytest.fixture
def page(browser, studio):
    """The page in Chromium, as on the first visit; nothing may go wrong."""
    page = Page(browser, studio)
    yield page
    page.leave()


@pytest.fixture(scope="session", params=[chromium, firefox],
                ids=["chromium", "firefox"])
def any_browser(request, tmp_path_factory):
    """Each browser that the machine has."""
    with _started(request.param, tmp_path_factory) as browser:
        yield browser


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A Chromium."""
    with _started(chromium, tmp_path_factory) as browser:
        yield browser


def _started(driver, tmp_path_factory):
    if driver.find() is None:
        pytest.skip(f"needs one of {', '.join(driver.NAMES)}")
    return driver.Browser(tmp_path_factory.mktemp("profile"))
