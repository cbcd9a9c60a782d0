"""The studio from end to end in browsers: from a photograph to a file."""

import io

import pytest
import studio_photos
from browsers import common
from PIL import Image
from studio_page import Page

from tfdivcolor import cli


@pytest.fixture
def page(any_browser, studio):
    """The page in each browser."""
    page = Page(any_browser, studio)
    yield page
    page.leave()


def test_a_photograph_from_grey_to_a_file(page, weights, tmp_path):
    browser, studio = page.browser, page.studio
    page.open()
    assert browser.run("location.href").startswith(f"{studio.origin}/")
    assert "token" not in browser.run("location.href + document.cookie")
    path = studio_photos.write(tmp_path, "coat \xfc.png", size=(120, 80))
    browser.choose("#files", path)
    page.wait_for_text("#name", path.name)
    page.colored()
    photo = page.photo()
    assert page.number("#grid .tile") == 9  # grey and eight results
    shares = browser.run("[...document.querySelectorAll('#grid .under span')]"
                         ".slice(1).map(share => parseInt(share.textContent))")
    assert len(shares) == 8 and 90 <= sum(shares) <= 110

    browser.press("2")
    page.large()
    assert page.stage("rank") == "2"
    page.hint(0.25, 0.4)
    first = page.wait_for_state(lambda state: state["hints"])
    hint, = first["hints"]
    assert abs(hint["x"] - 30) <= 1 and abs(hint["y"] - 32) <= 1

    start = common.point(browser, "#rings .hint")
    browser.drag(start, *(page.point(0.25 + 0.1 * i, 0.4 + 0.05 * i)
                          for i in range(1, 5)))
    moved = page.wait_for_state(
        lambda state: state["hints"] and state["hints"][0] != hint)
    assert abs(moved["hints"][0]["x"] - 78) <= 2  # 0.65 of 120
    assert abs(moved["hints"][0]["y"] - 48) <= 2  # 0.6 of 80
    assert moved["hints"][0]["rgb"] == hint["rgb"]
    page.colored()
    browser.press("z", control=True)
    assert page.wait_for_state(
        lambda state: state["hints"] == [hint])["hints"] == [hint]
    page.colored()

    # The photograph is a PNG file; the recipe keeps the format that was taken.
    name, written, _ = page.take_away("jpeg")
    recipe = tmp_path / "recipe.json"
    recipe.write_bytes(page.take_away("recipe")[1])
    out = tmp_path / "out"
    assert cli.main(["colorize", str(path), "--recipe", str(recipe),
                     "--weights", str(weights), "--out", str(out)]) == 0
    same, = out.glob("*.jpg")
    assert (same.name, same.read_bytes()) == (name, written)
    assert Image.open(io.BytesIO(written)).size == (120, 80)

    shown = page.session()
    browser.open("about:blank")
    browser.open(f"{studio.origin}/#{photo}")
    page.colored()
    page.wait_for_text("#name", path.name)
    assert page.session() == shown  # opening the page changes no history
    assert page.number("#rings .hint") == 1
    browser.press("z", control=True)
    page.wait_for_state(lambda state: not state["hints"])
    browser.press("z", control=True, shift=True)
    page.wait_for_state(lambda state: state["hints"] == [hint])
    studio.ask("DELETE", f"/api/photos/{photo}")
