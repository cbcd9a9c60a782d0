"""The studio's page in use: with the keyboard, on a phone, in two tabs."""

import io
import json
import random
import re
import zipfile

import pytest
import studio_photos
from browsers import common
from PIL import Image
from studio_page import PATIENCE, Page

# These tests take minutes; studio_page_test runs the whole way to a file.
pytestmark = pytest.mark.slow

# --- Opening ---------------------------------------------------------------


def test_a_folder_is_a_film_strip_with_its_bad_file(page, plates):
    page.open()
    page.wait_for_text("#name", "1 first.png")
    page.wait_for("#film .unreadable")
    names = page.browser.run("[...document.querySelectorAll("
                             "'#film .photo')].map(photo => photo.ariaLabel)")
    assert names[:5] == sorted(
        path.name.replace("\udcfc", "\ufffd") for path in plates.iterdir())
    assert page.text("#film .unreadable") == "4 broken.png"
    page.browser.press("ArrowRight")
    page.wait_for_text("#details", "60 × 90")  # upright
    page.browser.press("ArrowRight")
    page.wait_for_text("#details", "16 bits")
    page.colored()
    page.browser.press("ArrowRight")
    page.wait_for_text("#notice", "4 broken.png")
    assert "undamaged" in page.text("#notice")
    page.browser.press("ArrowRight")
    page.wait_for_text("#name", "5 gr\ufffdn.png")
    page.colored()
    assert page.take_away("png")[0] == "5 gr\ufffdn_00.png"
    page.browser.press("Home")
    page.wait_for_text("#name", "1 first.png")
    page.colored()


def test_files_are_dropped_pasted_and_taken_out(page, tmp_path):
    page.open()
    page.colored()
    there = page.number("#film .photo")
    good = [studio_photos.write(tmp_path) for _ in range(2)]
    bad = tmp_path / "letter.txt"
    bad.write_text("Dear Sir")
    page.browser.drop((500, 400), good[0], bad, good[1])
    page.wait_for("#uploads .failed")
    assert "letter.txt" in page.text("#uploads .failed")
    page.browser.wait("document.querySelectorAll('#film .photo').length === "
                      f"{there + 2}")
    page.wait_for_text("#name", good[0].name)
    page.colored()
    page.click("#uploads .failed button")
    page.wait_for("#uploads .failed", seen=False)

    page.browser.send("Browser.grantPermissions", permissions=[
        "clipboardReadWrite", "clipboardSanitizedWrite"])
    page.browser.run("""new Promise(done => {
        const canvas = document.createElement("canvas");
        canvas.width = 70; canvas.height = 50;
        canvas.getContext("2d").fillRect(0, 0, 30, 30);
        canvas.toBlob(async blob => done(await navigator.clipboard.write(
            [new ClipboardItem({"image/png": blob})]))); })""")
    page.browser.press("v", control=True)
    page.wait_for_text("#details", "70 × 50")
    assert page.number("#film .photo") == there + 3
    page.colored()
    for _ in range(3):
        added = [photo["id"] for photo in page.studio.ask(
            "GET", "/api/studio")["photos"] if photo["added"]]
        page.browser.run("document.querySelector(`#film "
                         f"[data-photo='{added[-1]}'] .remove`).click()")
        page.browser.wait("!document.querySelector(`#film "
                          f"[data-photo='{added[-1]}']`)")


# --- Hints -----------------------------------------------------------------


def test_contradictory_hints_are_said_at_the_hint(page, tmp_path):
    photo = page.studio.add(studio_photos.write(tmp_path, size=(600, 400)))
    page.open(photo)
    page.large()
    page.hint(0.5, 0.5, "#d02020")
    page.browser.press("Escape")
    page.hint(0.5, 0.56, "#2030d0")
    page.browser.press("Escape")
    page.wait_for("#rings .failed")
    said = page.browser.run("[...document.querySelectorAll('#hints .warning')]"
                            ".map(warning => warning.textContent)")
    assert said and all(re.search("Hint [12] asks for another", text)
                        for text in said), said
    # A muted hint contradicts no other hint.
    page.click("#hints li:nth-child(2) [data-act=mute]")
    page.wait_for_state(lambda state: state["hints"][1]["muted"])
    page.colored()
    assert "asks for another" not in page.text("#hints")
    page.studio.ask("DELETE", f"/api/photos/{photo}")


def test_sliders_and_others_change_all_results(page, photo):
    page.open(photo)
    key = page.browser.run("document.querySelector('#grid .tile img.shown"
                           "[data-source*=key]').dataset.source")
    page.browser.run("document.getElementById('warmth').focus()")
    for _ in range(3):
        page.browser.press("ArrowRight")
    warm = page.wait_for_state(lambda state: state["warmth"] == 3)
    page.browser.press("Escape")
    page.browser.run("document.activeElement.blur()")
    page.browser.press("x")
    others = page.wait_for_state(lambda state: state["seed"] != warm["seed"])
    assert others["warmth"] == warm["warmth"]
    page.colored()
    page.browser.press("3")
    page.browser.press("l")
    like = page.wait_for_state(lambda state: state["kept"])
    assert like["warmth"] == 0 and like["hints"] == []
    page.colored()
    assert page.browser.run(
        "document.querySelector('#grid .tile:nth-child(2) img')"
        ".dataset.source") != key
    history = page.session(photo)["history"]
    for _ in history[1:]:
        page.browser.press("z", control=True)
    page.wait_for_state(lambda state: state == history[0]["state"])


# --- Keyboard --------------------------------------------------------------


def test_the_keyboard_is_enough(page, photo):
    """The keyboard sets, moves, mutes and undoes a hint, and downloads."""
    browser = page.browser
    page.open(photo)
    for _ in range(2):
        browser.press("ArrowDown")
    browser.press("Enter")
    page.wait_for("#stage")
    assert page.stage("rank") == "2"
    browser.press("h")
    page.wait_for("#cursor")
    for _ in range(5):
        browser.press("ArrowLeft")
    browser.press("ArrowUp", shift=True)
    browser.press("Enter")
    page.wait_for("#point .chips .chip")
    browser.wait("document.activeElement.matches('#point .chip')")
    browser.press("Tab")  # from colour to colour
    browser.press("Enter")
    hint, = page.wait_for_state(lambda state: state["hints"])["hints"]
    assert 0.38 < hint["x"] / 96 < 0.42
    page.colored()

    # The hint has the focus, so arrow keys move it.
    browser.wait("document.activeElement.matches('#rings .hint')")
    browser.press("ArrowRight")
    moved, = page.wait_for_state(
        lambda state: state["hints"] != [hint])["hints"]
    assert moved["x"] > hint["x"] and moved["y"] == hint["y"]
    browser.press("m")
    page.wait_for_state(lambda state: state["hints"][0]["muted"])
    browser.press("z", control=True)
    page.wait_for_state(lambda state: state["hints"] == [moved])
    browser.press("z", control=True)
    page.wait_for_state(lambda state: state["hints"] == [hint])
    page.colored()

    browser.press("t")
    page.wait_for("#taking")
    browser.press("Enter")
    page.wait_for("#taking_link")
    browser.press("Escape")
    page.wait_for("#taking", seen=False)
    browser.press("?")
    page.wait_for("#keys")
    assert "undo" in page.text("#keys_list")
    browser.press("Escape")
    page.wait_for("#keys", seen=False)


# Elements without a name for screen readers.
UNNAMED = """[...document.querySelectorAll(
    "button, input, select, [role=slider], [role=group], dialog, img, canvas")]
    .filter(element => element.checkVisibility())
    .filter(element => !(element.ariaLabel || element.alt === ""
        || element.ariaHidden || element.textContent.trim()
        || element.labels?.length || element.getAttribute("aria-labelledby")))
    .map(element => element.outerHTML)"""


def test_everything_has_a_name_for_screen_readers(page, photo):
    page.open(photo)
    assert page.browser.run(UNNAMED) == []
    page.large()
    page.hint(0.3, 0.3)
    assert page.browser.run(UNNAMED) == []
    page.click("#rings .hint")
    page.wait_for("#point .chip")
    assert page.browser.run(UNNAMED) == []
    assert page.browser.run("document.documentElement.lang") == "en"
    identities = page.browser.run(
        "[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(identities) == len(set(identities))


KEYS = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End",
        "Enter", "Escape", "Delete", "Tab", "Tab", " ", *"037+-?bcfghilmnostxz")


def test_keys_do_no_harm_without_a_photograph(page, plates):
    page.open()
    page.colored()
    names = sorted(path.name for path in plates.iterdir())
    for _ in range(names.index("4 broken.png")):
        # The server may still read the next photograph at the later keys.
        for key in ("ArrowRight", "h", "Enter", "+", "c", *["Escape"] * 5):
            page.browser.press(key)
    page.wait_for_text("#notice", "4 broken.png")
    for key in (*KEYS, "h", "Enter", "z", "+", "s", "c", "Escape"):
        if not key.startswith(("Arrow", "Home", "End", "Tab")):
            page.browser.press(key)
    page.wait_for_text("#notice", "4 broken.png")


@pytest.mark.parametrize("seed", range(8))
def test_random_use_leaves_no_error(any_browser, studio, photo, seed):
    """After random use, the page and the server have the same history."""
    page, rng = Page(any_browser, studio), random.Random(seed)
    page.open(photo)
    for _ in range(120):
        kind = rng.random()
        if kind < 0.6:
            any_browser.press(rng.choice(KEYS), shift=rng.random() < 0.15)
        elif kind < 0.7:
            any_browser.press("z", control=True, shift=rng.random() < 0.5)
        else:
            start, end = ((rng.randrange(1440), rng.randrange(900))
                          for _ in range(2))
            # Avoid file choosers and the removal of photographs.
            if any_browser.run("!document.elementFromPoint("
                               f"{start[0]}, {start[1]})?.closest("
                               "'.remove, #browse, #open, #drops_open')"):
                any_browser.drag(start, *[end] * (kind < 0.85))
    for _ in range(3):
        any_browser.press("Escape")
    any_browser.wait("!document.body.hasAttribute('data-busy')", PATIENCE)
    page.wait_for_history()
    page.leave()


# --- Screens ---------------------------------------------------------------

# Controls that are not fully on the screen and that no scrolling reaches.
BESIDE = """(() => {
    const scrolls = (element, axis) => {
        for (let at = element.parentElement; at; at = at.parentElement) {
            const style = getComputedStyle(at)["overflow" + axis];
            if (["auto", "scroll"].includes(style)) return true;
        }
        return false; };
    return [...document.querySelectorAll(
        "button, input, select, a, [tabindex]")].filter(element => {
        if (!element.checkVisibility({visibilityProperty: true})) return false;
        const box = element.getBoundingClientRect();
        if (!box.width) return false;
        return (box.left < -0.5 || box.right > innerWidth + 0.5)
            && !scrolls(element, "X")
            || (box.top < -0.5 || box.bottom > innerHeight + 0.5)
            && !scrolls(element, "Y"); }).map(element =>
        element.id || element.className || element.outerHTML); })()"""


def test_a_phone_shows_and_reaches_everything(page, tmp_path):
    browser = page.browser
    photo = page.studio.add(studio_photos.write(tmp_path, size=(600, 400)))
    browser.resize(390, 844, mobile=True)
    try:
        page.open(photo)

        def fits():
            assert browser.run(
                "[innerWidth, document.documentElement.scrollWidth]") == [
                390, 390]
            assert browser.run(BESIDE) == []

        fits()
        browser.touch([common.point(
            browser, "#grid [data-which='1'] .open")])  # a tap
        page.wait_for("#stage")
        page.colored()
        fits()
        assert page.stage("rank") == "1"
        browser.touch([page.point(0.4, 0.4)])
        page.wait_for("#point .chip")
        fits()
        browser.touch([common.point(browser, "#point .chip")])
        page.wait_for_state(lambda state: state["hints"])
        page.colored()
        reached = set()
        for sheet in ("hints", "adjust", "more", "steps"):
            browser.touch([common.point(
                browser, f"#tabs [data-sheet='{sheet}']")])
            browser.wait(f"document.body.dataset.sheet === '{sheet}'")
            fits()
            reached |= set(browser.run(
                "[...document.querySelectorAll('[id]')].filter(element =>"
                " element.checkVisibility() && element.getBoundingClientRect()"
                ".width).map(element => element.id)"))
        assert {"hints", "warmth", "saturation", "temperature", "num_samples",
                "others", "like", "strength", "steps", "add_hint",
                "undo", "redo", "take"} <= reached
        browser.press("Escape")
        browser.press("Escape")
        # A pinch with two fingers zooms in.
        x, y = page.point(0.5, 0.5)
        width = common.box(browser, "#frame")["width"]
        browser.touch(*([(x + side * (20 + 10 * i), y) for i in range(6)]
                        for side in (-1, 1)))
        browser.wait("document.getElementById('frame').offsetWidth > "
                     f"{1.5 * width}")
        fits()
        browser.press("z")
        browser.press("t")
        page.wait_for("#taking")
        fits()
        browser.press("Escape")
    finally:
        browser.resize(1440, 900)
    page.studio.ask("DELETE", f"/api/photos/{photo}")


# Texts with less contrast to their background than WCAG AA requires.
FAINT = """(() => {
    const parse = color => color.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(level => level / 255).map(
        level => level <= 0.04045 ? level / 12.92
            : ((level + 0.055) / 1.055) ** 2.4).reduce((sum, level, i) =>
            sum + level * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        const layers = [];
        for (let at = element; at; at = at.parentElement) {
            const [r, g, b, a = 1] = parse(
                getComputedStyle(at).backgroundColor);
            layers.push([r, g, b, a]);
            if (a === 1) break;
        }
        return layers.reverse().reduce((below, [r, g, b, a]) =>
            [r, g, b].map((level, i) => a * level + (1 - a) * below[i]),
            [255, 255, 255]); };
    return [...document.querySelectorAll("body *")].filter(element =>
        element.checkVisibility({visibilityProperty: true,
                                 opacityProperty: true})
        && !element.closest("#stage, .photo, .tile .open, :disabled, .chip")
        && [...element.childNodes].some(node =>
            node.nodeType === 3 && node.data.trim())).map(element => {
        const style = getComputedStyle(element);
        const back = behind(element);
        const [r, g, b, a = 1] = parse(style.color);
        const front = [r, g, b].map((level, i) =>
            a * level + (1 - a) * back[i]);
        const [high, low] = [light(front), light(back)].sort((x, y) => y - x);
        const ratio = (high + 0.05) / (low + 0.05);
        return [element.id || element.className || element.tagName,
                element.textContent.trim().slice(0, 20), ratio]; }).filter(
        ([, , ratio]) => ratio < 4.5); })()"""


def test_dark_and_light_can_be_read(page, photo):
    page.open(photo)
    brightness = []
    for surround in ("dark", "grey", "light"):
        page.browser.wait(
            f"document.body.dataset.surround === '{surround}'")
        shot = Image.open(io.BytesIO(page.browser.screenshot())).convert("L")
        brightness.append(shot.getpixel((3, 450)))
        assert page.browser.run(FAINT) == [], surround
        page.browser.press("b")
    assert brightness[0] < 80 < brightness[1] < brightness[2]
    page.browser.press("b")
    page.show(photo)  # the browser remembers the surround
    assert page.browser.run("document.body.dataset.surround") == "grey"


# --- Server and tabs -------------------------------------------------------


def test_a_killed_server_is_said_and_the_work_goes_on(page, photo):
    browser, studio = page.browser, page.studio
    page.open(photo)
    page.large()
    page.hint(0.3, 0.6)
    page.wait_for_state(lambda state: len(state["hints"]) == 1)
    key = page.stage("key")
    studio.stop()
    browser.run("document.getElementById('warmth').focus()")
    browser.press("ArrowRight")
    page.wait_for("#gone")
    assert "does not answer" in page.text("#gone")
    studio.start()
    page.wait_for("#gone", seen=False)
    browser.wait(f"document.getElementById('stage').dataset.key !== '{key}'",
                 PATIENCE)
    page.colored()
    state = page.wait_for_state(lambda state: state["warmth"])
    assert len(state["hints"]) == 1
    browser.run("document.activeElement.blur()")
    browser.press("z", control=True)
    page.wait_for_state(lambda state: not state["warmth"])
    page.colored()
    # The page shows earlier results, which the new server has not drawn.
    browser.press("ArrowUp")
    browser.press("ArrowDown")
    browser.press("z")
    page.colored()


def test_a_second_tab_works_and_is_told(page, photo):
    browser = page.browser
    page.open(photo)
    browser.tab(1)
    try:
        page.open(photo)
        browser.press("x")
        page.wait_for_state(lambda state: state["seed"] == "1")
        page.colored()
        browser.tab(0)
        browser.press("3")
        page.wait_for_text("#status", "Another tab")
        page.colored()
        # This tab shows the other tab's step and continues from it.
        assert page.number("#steps li") == 2
        browser.press("x")
        page.wait_for_state(lambda state: state["seed"] == "2")
    finally:
        browser.tab(0)


# --- Download --------------------------------------------------------------


def test_several_results_come_as_a_zip(page, photo):
    page.open(photo)
    page.colored()
    for rank in "14":
        page.browser.press(rank)
        page.browser.press(" ")
    files = unzipped(page.take_away("png", "kept"))
    assert [name[-7:] for name in files] == ["_01.png", "_04.png"]
    assert [Image.open(io.BytesIO(data)).size
            for data in files.values()] == [(96, 64)] * 2
    assert len(unzipped(page.take_away("jpeg", "all"))) == 8


def unzipped(download):
    """The files of a zip download: dict from names to bytes."""
    name, data, _ = download
    assert name.endswith(".zip")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_strip_comes_whole_but_for_the_bad_file(page, photo):
    page.open()
    page.colored()
    page.browser.press("t")
    page.wait_for("#taking")
    download = page.take_away("original", "strip")
    files = unzipped(download)
    photos = page.studio.ask("GET", "/api/studio")["photos"]
    assert len(files) == len(photos) - 1
    assert {"png", "jpg", "tif"} <= {
        name.rpartition(".")[2].replace("tiff", "tif") for name in files}
    assert "4 broken.png" in download[2]


@pytest.mark.parametrize("image_format", ["tiff", "webp", "psd", "recipe"])
def test_formats_can_be_read_elsewhere(studio, photo, image_format):
    """The server makes each format without the page."""
    state = {"seed": "3", "num_samples": 2, "warmth": 4}
    job = studio.ask("POST", "/api/exports", {
        "format": image_format,
        "items": [{"photo": photo, "state": state, "ranks": [1]}]})["id"]
    made = studio.ready(job)
    file = studio.request("GET", f"/api/exports/{job}/file")
    assert int(file.headers["content-length"]) == made["bytes"]
    if image_format == "recipe":
        assert "photo" in json.loads(file.body)
    else:
        with Image.open(io.BytesIO(file.body)) as image:
            image.load()
            assert image.size == (96, 64)
