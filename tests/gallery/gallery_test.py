"""The gallery: what is in the page, and what it does in a browser."""

import base64
import hashlib
import html.parser
import io
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
import tracemalloc
import urllib.parse
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import skimage.color
from browsers import chromium as browser
from hypothesis import strategies as st
from PIL import Image

from tfdivcolor import gallery, images
from tfdivcolor.gallery import page as page_writer, previews
from tfdivcolor.images import formats
from tfdivcolor.settings import OUTPUT_FORMATS

HOSTILE = "</script><b onerror='alert(1)'>\" #1 50% \N{SNOWMAN}&amp; ?"
NOT_UNICODE = os.fsdecode(b"gr\xfcn")


def _picture(width, height, seed):
    """A smooth picture, which JPEG changes little: uint8 [H, W, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width][..., np.newaxis] / max(width, height)
    phase, rate = rng.uniform(0, 6, [2, 3])
    waves = np.sin(phase + rate * x) * np.cos(phase + 3 * y)
    return np.uint8(np.round(128 + 90 * waves))


def _colour(folder, stem, num=3, size=(60, 40), suffix=".png", **record):
    """Writes a photograph's results and record, as the tool does."""
    names = [f"{stem}_{rank:02d}{suffix}" for rank in range(num)]
    for rank, name in enumerate(names):
        Image.fromarray(_picture(*size, seed=rank)).save(folder / name)
    if "original" in record:
        names.append(record["original"])
        Image.fromarray(_picture(*size, seed=99)).save(
            folder / record["original"])
    record = {"seed": 2**60 + 1, "num_samples": num, "temperature": 0.5,
              "mode": "diverse", "weights": "lfw", "input": f"{stem}.jpg",
              "share": [0.625, 0.372, 0.003][:num],
              "log_prob": [-10.5 - rank for rank in range(num)],
              "outputs": [*names, f"{stem}_sheet.png"], **record}
    (folder / f"{stem}.json").write_text(json.dumps(record))
    return folder / stem


class _Page(html.parser.HTMLParser):
    """A page taken apart.

    Attributes:
        tags: list of str, those of data blocks left out.
        links: list of str, whatever an attribute refers to.
        scripts: list of str, those that run.
        photographs: list of (dict, list of PIL images).
    """

    def __init__(self, path):
        super().__init__()
        self.tags, self.links, self.scripts = [], [], []
        self.photographs, self._pictures, self._kind = [], [], None
        self.text = path.read_bytes().decode()
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self._kind = attrs.get("type", "") if tag == "script" else None
        if not self._kind:
            self.tags.append(tag)
        self.links += [value for name, value in attrs.items() if name in (
            "src", "href", "srcset", "action", "data", "poster")]
        assert not any(name.startswith("on") for name in attrs)

    def handle_endtag(self, tag):
        self._kind = None

    def handle_data(self, data):
        if self._kind == "":
            self.scripts.append(data)
        elif self._kind == "text/plain":
            kind, _, content = data.partition(",")
            assert kind == "data:image/jpeg;base64"
            self._pictures.append(Image.open(
                io.BytesIO(base64.b64decode(content, validate=True))))
        elif self._kind == "application/json":
            self.photographs.append((json.loads(data), self._pictures))
            self._pictures = []


# --- The page --------------------------------------------------------------


def test_page_is_self_contained(tmp_path):
    bases = [_colour(tmp_path, stem) for stem in ("one", "two")]
    path = tmp_path / "index.html"
    result = gallery.write(path, bases, title="A <b>title</b> {{script}}")
    assert result == gallery.Gallery(2, path.stat().st_size, [])
    page = _Page(path)
    assert page.links == ["data:,"]
    assert not re.search(r"https?://|@import|url\((?!#)", page.text)
    assert "<title>A &lt;b&gt;title&lt;/b&gt; {{script}}</title>" in page.text
    # The browser refuses every script but this one.
    script, = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest())
    assert f"script-src 'sha256-{digest.decode()}'" in page.text
    assert [about["name"] for about, _ in page.photographs] == ["one", "two"]


def test_previews_are_the_pictures(tmp_path):
    base = _colour(tmp_path, "one", original="one_original.png")
    gallery.write(tmp_path / "index.html", [base])
    (about, (grey, *previews)), = _Page(tmp_path / "index.html").photographs
    assert len(previews) == 4 and grey.mode == "L"
    for preview, seed in zip(previews, (0, 1, 2, 99)):
        assert preview.mode == "RGB" and preview.size == (60, 40)
        error = np.abs(np.asarray(preview).astype(int) - _picture(60, 40, seed))
        assert error.max() <= 6 and error.mean() < 1.5
    luminance = skimage.color.rgb2lab(_picture(60, 40, seed=0))[..., 0]
    shown = skimage.color.rgb2lab(
        np.repeat(np.asarray(grey)[..., np.newaxis], 3, -1))[..., 0]
    assert np.abs(shown - luminance).max() < 1.5
    assert about["original"]["name"] == "one_original.png"
    assert [file["name"] for file in about["results"]] == [
        "one_00.png", "one_01.png", "one_02.png"]
    assert about["share"] == [0.625, 0.372, 0.003]
    assert about["log_prob"] == [-10.5, -11.5, -12.5]
    assert about["seed"] == str(2**60 + 1) and about["temperature"] == "0.5"


def test_grey_has_the_luminance_of_the_colours():
    pixels = np.random.default_rng(0).integers(
        0, 256, [200, 300, 3], dtype=np.uint8)
    pixels[0, :256] = np.arange(256)[:, np.newaxis]
    grey = np.asarray(previews.grey(Image.fromarray(pixels)))
    lab = skimage.color.rgb2lab(pixels)
    lab[..., 1:] = 0
    expected = skimage.color.lab2rgb(lab).mean(-1) * 255
    assert np.abs(grey - expected).max() < 0.6
    np.testing.assert_array_equal(grey[0, :256], np.arange(256))


@pytest.mark.parametrize("size, expected", [
    ((2000, 1000), (960, 480)), ((30, 1920), (15, 960)), ((50, 20), (50, 20)),
    ((1, 1), (1, 1))])
def test_previews_are_reduced_never_enlarged(tmp_path, size, expected):
    base = _colour(tmp_path, "one", num=1, size=size, suffix=".jpg")
    gallery.write(tmp_path / "index.html", [base])
    (about, previews), = _Page(tmp_path / "index.html").photographs
    assert [preview.size for preview in previews] == [expected] * 2
    assert (about["width"], about["height"]) == size
    assert about["preview"] == list(expected)


@pytest.mark.parametrize("name, deep", [
    *((name, False) for name in OUTPUT_FORMATS),
    ("png", True), ("tiff", True)])
def test_every_format_of_results_is_read(tmp_path, name, deep):
    if name == "heic":
        pytest.importorskip("pillow_heif")
    image_format = "HEIF" if name == "heic" else name.upper()
    pixels = _picture(64, 48, seed=1)
    path = tmp_path / f"one_00{formats.suffix(image_format)}"
    path.write_bytes(images.encode(
        pixels.astype(np.uint16) * 257 if deep else pixels, image_format))
    image, size = previews.read(path, page_writer.PREVIEW_PIXELS)
    assert size == (64, 48)
    assert np.abs(np.asarray(image).astype(int) - pixels).mean() < 1.5


def test_transparent_pixels_show_the_surround(tmp_path):
    pixels = np.full([8, 8, 4], 200, np.uint8)
    pixels[:4, :, 3], pixels[4:, :, 3] = 255, 0
    Image.fromarray(pixels).save(tmp_path / "one.png")
    shown = np.asarray(previews.read(tmp_path / "one.png", 960)[0])
    assert (shown[:4] == 200).all() and (shown[4:] == 43).all()


_NAMES = st.one_of(
    st.text(st.sampled_from("<>/\\&'\"`#?%:;= \n\t.!-{}$sctrip\u2028\u00e9"),
            min_size=1, max_size=30),
    st.text(min_size=1, max_size=20),
    st.binary(min_size=1, max_size=20).map(os.fsdecode)).map(
        lambda name: re.sub("[/\0\ud800-\udc7f\udd00-\udfff]", "_", name)
    ).filter(lambda name: name not in (".", ".."))  # no file is called so


@hypothesis.settings(
    max_examples=60, deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(_NAMES)
@hypothesis.example(HOSTILE.replace("/", "_"))
@hypothesis.example("<!--<script>")
@hypothesis.example(NOT_UNICODE)
@hypothesis.example("javascript:alert(1)")
def test_no_name_breaks_the_page(tmp_path, name):
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    plain = _colour(folder, "plain", num=1)
    gallery.write(folder / "plain.html", [plain])
    inputs = "</script>" + name  # more than a file's name can hold
    _colour(folder, name, num=1, input=inputs, weights="<!--<script>",
            hints=[{"x": 3, "y": 4, "rgb": name}])
    gallery.write(folder / "index.html", [folder / name], title=name)
    page = _Page(folder / "index.html")
    assert page.tags == _Page(folder / "plain.html").tags
    (about, _), = page.photographs
    result, = about["results"]
    linked = os.fsdecode(urllib.parse.unquote_to_bytes(result["href"]))
    assert re.fullmatch(r"[\w.~%-]+", result["href"], re.ASCII)
    assert linked == f"{name}_00.png"
    readable = re.sub("[\udc80-\udcff]", "\ufffd", name)
    assert about["name"] == readable
    assert about["input"] == "</script>" + readable
    assert about["weights"] == "<!--<script>"
    assert result["name"] == f"{readable}_00.png" and about["hints"] == []


def test_links_are_relative_to_the_page(tmp_path):
    (tmp_path / "a b").mkdir()
    (tmp_path / "pages").mkdir()
    base = _colour(tmp_path / "a b", "one", num=1)
    gallery.write(tmp_path / "pages" / "index.html", [base])
    (about, _), = _Page(tmp_path / "pages" / "index.html").photographs
    assert about["results"] == [{
        "name": "../a b/one_00.png", "href": "../a%20b/one_00.png"}]


def test_odd_records_are_shown_as_far_as_they_go(tmp_path):
    good = {"x": 1, "y": 2.5, "rgb": "#a0B1c2"}
    base = _colour(
        tmp_path, "one", num=2, log_prob=[math.nan, -3], share=["1", 2],
        mode=["x", None],
        hints=[{**good, "before": 3.0}, {**good, "x": "1"}, 7,
               {**good, "rgb": "red"}, {"x": 1}, {**good, "y": math.inf}])
    gallery.write(tmp_path / "index.html", [base])
    (about, _), = _Page(tmp_path / "index.html").photographs
    assert about["log_prob"] == [None, -3] and about["hints"] == [good]
    assert about["share"] == [None, 2]
    base = _colour(tmp_path, "two", num=2, share=[0.5], log_prob=-3)
    gallery.write(tmp_path / "index.html", [base])
    (about, _), = _Page(tmp_path / "index.html").photographs
    assert not {"share", "log_prob"} & set(about)


def test_the_same_files_give_the_same_bytes(tmp_path):
    base = _colour(tmp_path, "one")
    pages = []
    for name in ("a.html", "b.html"):
        gallery.write(tmp_path / name, [base])
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def test_marks_belong_to_results(tmp_path):
    keys = []
    for seed in (0, 0, 1):
        base = _colour(tmp_path, "one", num=1, seed=seed)
        gallery.write(tmp_path / "index.html", [base])
        keys.append(_Page(tmp_path / "index.html").photographs[0][0]["key"])
    assert keys[0] == keys[1] != keys[2]


def test_memory_does_not_grow_with_photographs(tmp_path):
    base = _colour(tmp_path, "one", num=2, size=(300, 200))

    def peak(count):
        tracemalloc.start()
        gallery.write(tmp_path / "index.html", (base for _ in range(count)))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(1)
    assert peak(40) < 1.1 * peak(5)


def test_no_tensorflow():
    code = "import sys, tfdivcolor.gallery; print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, text=True,
                          capture_output=True).stdout == "False\n"


# --- Whole or not at all ---------------------------------------------------


def test_bad_photographs_are_left_out(tmp_path):
    bases = [_colour(tmp_path, stem) for stem in "abcdef"]
    (tmp_path / "b_01.png").unlink()
    (tmp_path / "c_02.png").write_bytes(b"no picture")
    (tmp_path / "d.json").write_text("{")
    path = tmp_path / "e_00.png"
    path.write_bytes(path.read_bytes()[:150])
    result = gallery.write(tmp_path / "index.html", bases)
    assert result.photographs == 2
    assert [base.name for base, _ in result.left_out] == list("bcde")
    for (base, reason), file in zip(
            result.left_out, ("b_01.png", "c_02.png", "d.json", "e_00.png")):
        assert reason.startswith(f"{tmp_path / file}: must be")
        assert "(received" in reason and "\n" not in reason
    names = [about["name"] for about, previews in
             _Page(tmp_path / "index.html").photographs
             if len(previews) == 4]
    assert names == ["a", "f"]


def _fails_later(base):
    yield base
    raise KeyboardInterrupt


@pytest.mark.parametrize("bases, error", [
    (lambda base: [], images.ImageError),
    (lambda base: [base.with_name("none")], images.ImageError),
    (_fails_later, KeyboardInterrupt)])
def test_a_failure_changes_nothing(tmp_path, bases, error):
    base = _colour(tmp_path, "one")
    (tmp_path / "index.html").write_text("before")
    files = sorted(tmp_path.iterdir())
    with pytest.raises(error):
        gallery.write(tmp_path / "index.html", bases(base))
    assert (tmp_path / "index.html").read_text() == "before"
    assert sorted(tmp_path.iterdir()) == files


def test_a_page_that_cannot_be_written_is_said(tmp_path):
    base = _colour(tmp_path, "one")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "none" / "index.html"):
        with pytest.raises(images.ImageError, match="must be a file that can"):
            gallery.write(path, [base])
    assert not list(tmp_path.rglob(".*"))


# --- In a browser ----------------------------------------------------------

needs_browser = pytest.mark.skipif(
    browser.find() is None, reason=f"needs one of {', '.join(browser.NAMES)}")
STEMS = ("plain", HOSTILE.replace("/", "_"), NOT_UNICODE, "large")
WEIGHTS = (HOSTILE, "<!--<script>", "lfw")  # of the first ones


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("profile")) as chromium:
        chromium.send("Browser.grantPermissions",
                      permissions=["clipboardReadWrite",
                                   "clipboardSanitizedWrite"])
        yield chromium


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A gallery and its results."""
    folder = tmp_path_factory.mktemp("gallery")
    bases = [_colour(folder, stem, weights=weights)
             for stem, weights in zip(STEMS, WEIGHTS)]
    bases.append(_colour(folder, "large", size=(1200, 800),
                         original="large_original.png", share=None,
                         hints=[{"x": 599.5, "y": 199.5, "rgb": "#102030"}]))
    gallery.write(folder / "index.html", bases, title=HOSTILE)
    return folder


@pytest.fixture
def page(chromium, folder):
    """The gallery as opened for the first time; nothing may go wrong in it."""
    chromium.errors.clear()
    chromium.requests.clear()
    chromium.open((folder / "index.html").as_uri())
    yield chromium
    chromium.run("localStorage.clear()")
    assert not chromium.errors
    assert {urllib.parse.urlsplit(url).scheme
            for url in chromium.requests} <= {"file", "data", "about", "blob"}


def _text(page, identity):
    return page.run(f"document.getElementById('{identity}').textContent")


def _value(page, identity):
    return page.run(f"document.getElementById('{identity}').value")


def _number_shown(page):
    return page.run("+document.querySelector('.tile.at').dataset.which")


# What stands below the pictures.
UNDER = ("[...document.querySelectorAll('.tile .under')].map("
         "under => under.textContent)")


@needs_browser
def test_a_tooltip_says_what_a_share_is(page):
    expected = ("37 % of the model's colourings are nearer to this result "
                "than to the others")
    assert page.run("document.querySelector('[data-which=\"1\"] .under span')"
                    ".title") == expected
    page.press("1")
    page.press("Enter")
    assert _text(page, "caption") == "37 %"
    assert page.run("document.getElementById('caption').title") == expected
    assert page.run("document.querySelector('.thumb[data-which=\"1\"]')"
                    ".title") == expected


@needs_browser
def test_records_of_0_5_are_told_by_density(page):
    page.press("End")
    assert page.run(UNDER)[:2] == ["grey", "0log p \u221210.5"]
    assert page.run("document.querySelector('.tile .under span').title") == ""
    page.press("Enter")
    assert _text(page, "caption") == "log p \u221210.5"


@needs_browser
def test_picked_results_are_called_by_their_ranks(tmp_path, chromium):
    base = _colour(tmp_path, "one", num=2, ranks=[3, 5])
    gallery.write(tmp_path / "index.html", [base])
    chromium.open((tmp_path / "index.html").as_uri())
    assert chromium.run(UNDER) == ["grey", "363 %", "537 %"]


@needs_browser
def test_it_opens_with_all_results_of_the_first(page):
    assert page.run("document.title") == HOSTILE
    assert _text(page, "position") == "1 / 4"
    assert page.run("document.querySelectorAll('#film li').length") == 4
    page.wait("[...document.querySelectorAll('.tile img')].every("
              "image => image.complete && image.naturalWidth === 60)")
    assert page.run(UNDER) == ["grey", "063 %", "137 %", "2<1 %"]
    details = _text(page, "details")
    assert f"seed {2**60 + 1}" in details
    assert HOSTILE in details


@needs_browser
def test_keys_flip_photographs_and_results(page):
    page.press("ArrowRight")
    assert _text(page, "name") == HOSTILE.replace("/", "_")
    page.press("ArrowDown")
    assert _number_shown(page) == 1
    page.press("2")
    assert _number_shown(page) == 2
    page.press("ArrowDown")  # there is no more
    page.press("9")
    assert _number_shown(page) == 2
    page.press("End")
    assert _text(page, "position") == "4 / 4" and _number_shown(page) == 2
    page.press("ArrowRight")
    page.press("ArrowLeft")
    assert _text(page, "name") == "gr\ufffdn"
    page.press("Home")
    assert _text(page, "position") == "1 / 4"


@needs_browser
def test_hostile_names_lead_to_their_files(page, folder):
    for stem, weights in zip(STEMS[1:3], WEIGHTS[1:]):
        page.press("ArrowRight")
        assert f"weights {weights}" in _text(page, "details")
        page.press("Enter")
        assert page.run("document.getElementById('file').textContent") == (
            stem.replace("\udcfc", "\ufffd") + "_00.png")
        url = page.run("document.getElementById('file').href")
        path = os.fsdecode(urllib.parse.unquote_to_bytes(
            urllib.parse.urlsplit(url).path))
        assert path == str(folder / f"{stem}_00.png")
        assert page.run("""new Promise(done => {
            const image = new Image();
            image.onload = () => done(image.naturalWidth);
            image.onerror = () => done(0);
            image.src = document.getElementById('file').href; })""") == 60
        page.press("Enter")


@needs_browser
def test_slider_moves_the_clip(page):
    def clip():
        inset = re.fullmatch(
            r"inset\(0(?:px)? 0(?:px)? 0(?:px)? ([\d.]+)px\)",
            page.run("document.getElementById('after').style.clipPath"))
        return float(inset[1]) / page.run(
            "document.getElementById('frame').offsetWidth")

    page.press("End")
    page.press("s")
    assert clip() == pytest.approx(0.5, abs=0.01)
    page.press("ArrowRight", shift=True)
    assert clip() == pytest.approx(0.55, abs=0.01)
    box = page.run("JSON.parse(JSON.stringify("
                   "document.getElementById('frame').getBoundingClientRect()))")
    middle = box["top"] + box["height"] / 2
    page.drag((box["left"] + 0.55 * box["width"], middle),
              (box["left"] + 0.2 * box["width"], middle))
    assert clip() == pytest.approx(0.2, abs=0.01)
    page.run("document.getElementById('slider').focus()")
    page.press("ArrowRight")
    assert clip() == pytest.approx(0.25, abs=0.01)
    assert page.run("document.getElementById('slider')"
                    ".getAttribute('aria-valuenow')") == "25"
    page.press("s")
    assert page.run("document.getElementById('after').style.clipPath") == ""


@needs_browser
def test_grey_by_tap_and_by_hold_and_original(page):
    hidden = ("document.getElementById('after').style.visibility"
              " === 'hidden'")
    page.press("End")
    page.press("Enter")
    page.press("g")
    assert page.run(hidden) and _text(page, "left") == "grey"
    page.press("g")
    assert not page.run(hidden)
    page.press("g", hold=0.4)
    assert not page.run(hidden)
    page.press("o")
    assert page.run(hidden) and _text(page, "left") == "original"
    page.press("ArrowLeft")  # a photograph without one
    assert not page.run(hidden)


@needs_browser
def test_zoom_shows_the_result_itself(page):
    page.press("End")
    page.press("z")
    page.wait("document.getElementById('after').src.endsWith("
              "'large_00.png')")
    assert page.run("document.getElementById('frame').offsetWidth") == 1200
    # Its grey, too, has the luminance of the colours.
    page.press("g")
    page.run("document.getElementById('rings').remove()")
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    left, top = page.run("""(() => {
        const box = document.getElementById('frame').getBoundingClientRect();
        return [box.left, box.top]; })()""")
    y, x = np.mgrid[300:500:20, 300:900:20]  # of the picture
    lab = skimage.color.rgb2lab(_picture(1200, 800, seed=0)[y, x])
    lab[..., 1:] = 0
    expected = skimage.color.lab2rgb(lab) * 255
    shown = shot[y + round(top), x + round(left)]
    assert np.abs(shown - expected).max() <= 1.5


@needs_browser
@pytest.mark.parametrize("fingers", [False, True])
def test_zoom_keeps_what_is_at_the_pointer(page, fingers):
    def frame():
        return page.run("""(() => { const box = document.getElementById(
            'frame').getBoundingClientRect();
            return [box.left, box.top, box.width, box.height]; })()""")

    page.press("End")
    page.press("Enter")
    left, top, width, height = frame()
    x, y = left + width / 2, top + height / 2
    if fingers:
        page.touch([(x - 50 * far, y) for far in (1, 1.5, 2)],
                   [(x + 50 * far, y) for far in (1, 1.5, 2)])
    else:
        page.wheel((x, y), -300)
    page.wait(f"document.getElementById('frame').offsetWidth > {width} + 9")
    new_left, new_top, new_width, new_height = frame()
    assert new_width / new_height == pytest.approx(width / height, rel=1e-3)
    assert new_width == pytest.approx(
        width * (2 if fingers else math.exp(0.6)), rel=0.02)
    assert (x - new_left) / new_width == pytest.approx(0.5, abs=0.01)
    assert (y - new_top) / new_height == pytest.approx(0.5, abs=0.01)
    # The result itself is read for it, as for 100 %.
    page.wait("document.getElementById('after').src.endsWith("
              "'large_00.png')")
    page.wheel((x, y), 3000)
    page.wheel((x, y), 3000)
    page.wait(f"document.getElementById('frame').offsetWidth < {width} + 1")
    assert frame() == pytest.approx([left, top, width, height], abs=1)


@needs_browser
def test_rings_are_where_the_hints_were(page):
    page.press("End")
    page.press("Enter")
    assert page.run("[...document.querySelectorAll('.ring')].map(ring =>"
                    "[ring.style.left, ring.style.top])") == [["50%", "25%"]]


@needs_browser
def test_keepers_are_marked_listed_and_remembered(page, folder):
    page.press("End")
    page.press(" ")
    page.press("Home")
    page.press("2")
    page.press(" ")
    page.run("document.querySelector('[data-which=\"0\"] .under').click()")
    page.press("ArrowRight")
    page.press(" ")  # result 0, the one last chosen
    page.press("ArrowRight")
    page.press(" ")
    page.press(" ")  # on second thoughts not
    expected = ["plain_00.png", "plain_02.png",
                HOSTILE.replace("/", "_") + "_00.png", "large_00.png"]
    for _ in range(2):
        page.press("l")
        assert _value(page, "names").splitlines() == expected
        assert _text(page, "count") == "4"
        page.press("Escape")
        page.open((folder / "index.html").as_uri())
    page.press("k")
    assert _text(page, "position").endswith("/ 3")
    page.press("Home")
    assert page.run("[...document.querySelectorAll('.tile')].map("
                    "tile => tile.dataset.which)") == ["grey", "0", "2"]


@needs_browser
@pytest.mark.parametrize("refused", [False, True])
def test_the_list_can_be_copied(page, refused):
    if refused:  # as some browsers do on pages from files
        page.run("navigator.clipboard.writeText = () => Promise.reject()")
        page.press("ArrowRight")
        page.press("ArrowRight")
    page.press(" ")
    page.press("l")
    page.press("Enter")  # the button to copy has the focus
    page.wait("document.getElementById('copy').textContent === 'Copied'")
    assert page.run("navigator.clipboard.readText()") == (
        "gr\ufffdn_00.png\n" if refused else "plain_00.png\n")


@needs_browser
def test_the_list_can_be_downloaded_byte_by_byte(page, tmp_path):
    page.send("Browser.setDownloadBehavior", behavior="allow",
              downloadPath=str(tmp_path))
    page.press("ArrowRight")
    page.press("ArrowRight")
    page.press(" ")
    page.press("l")
    page.run("document.getElementById('download').click()")
    for _ in range(200):
        if (tmp_path / "kept.txt").exists():
            break
        time.sleep(0.02)
    assert (tmp_path / "kept.txt").read_bytes() == b"gr\xfcn_00.png\n"


@needs_browser
def test_it_fits_a_narrow_screen(page):
    page.resize(400, 800, mobile=True)
    try:
        for key in ("Escape", "Enter", "s"):
            page.press(key)
            assert page.run("document.documentElement.scrollWidth") <= 400
            assert page.run("""[...document.querySelectorAll(
                '.tools button, .flip button, #large .acts button')].every(
                button => { const box = button.getBoundingClientRect();
                    return box.left >= 0 && box.right <= 400; })""")
    finally:
        page.resize(1440, 900)
