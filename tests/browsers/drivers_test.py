"""Both browser drivers have the same effects on a page."""

import functools
import http.server
import io
import threading

import pytest
from browsers import chromium, common, firefox
from PIL import Image

PAGE = """<!doctype html><title>t</title>
<style>body { margin: 0; height: 3000px } #pad { touch-action: none;
width: 300px; height: 200px; background: #f00 }</style>
<div id="pad"></div><input id="text"><input id="file" type="file" multiple>
<a id="save" href="picture.png" download="saved.png">save</a>
<script>
const log = [];
const say = (...what) => log.push(what.join(" "));
const pad = document.getElementById("pad");
for (const kind of ["pointerdown", "pointermove", "pointerup", "click"])
    pad.addEventListener(kind, event => say(kind, event.pointerType,
        event.clientX, event.clientY, event.buttons));
pad.addEventListener("wheel", event => say("wheel", event.deltaY));
addEventListener("keydown", event => say(
    event.key, event.shiftKey, event.ctrlKey));
const files = async list => say(...(await Promise.all([...list].map(
    async file => [file.name, file.type, await file.text()]))).flat());
document.getElementById("file").onchange = event => files(event.target.files);
addEventListener("dragover", event => event.preventDefault());
addEventListener("drop", event => {
    event.preventDefault(); files(event.dataTransfer.files); });
addEventListener("paste", event => files(event.clipboardData.files));
</script>"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of a server with the page."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "page.html").write_text(PAGE)
    Image.new("RGB", (3, 2)).save(folder / "picture.png")
    handler = functools.partial(_Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module", params=[chromium, firefox],
                ids=["chromium", "firefox"])
def browser(request, tmp_path_factory):
    if request.param.find() is None:
        pytest.skip(f"needs one of {', '.join(request.param.NAMES)}")
    with request.param.Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser, address):
    browser.errors.clear()
    browser.requests.clear()
    browser.open(f"{address}/page.html")
    return browser


def said(page):
    """The lines of the page's log since the last call."""
    return page.run("log.splice(0)")


def test_the_pointer(page):
    page.drag((50, 60), (70, 80), (90, 100))
    assert [line for line in said(page)
            if not line.startswith("pointermove mouse 50 60")] == [
        "pointerdown mouse 50 60 1", "pointermove mouse 70 80 1",
        "pointermove mouse 90 100 1", "pointerup mouse 90 100 0",
        "click mouse 90 100 0"]
    page.hover(30, 30)
    page.click(20, 30)
    assert said(page)[0] == "pointermove mouse 30 30 0"
    page.wheel((50, 60), 120)
    page.wait("log.includes('wheel 120')")


def test_two_fingers(page):
    page.touch([(50, 60), (40, 60), (30, 60)], [(90, 60), (100, 60), (120, 60)])
    lines = said(page)
    assert lines.count("pointerdown touch 50 60 1") == 1
    assert lines.count("pointerdown touch 90 60 1") == 1
    assert "pointermove touch 30 60 1" in lines
    assert "pointermove touch 120 60 1" in lines
    assert sum(line.startswith("pointerup touch") for line in lines) == 2


def test_keys(page):
    page.press("ArrowLeft", shift=True)
    page.press("z", control=True)
    page.press("?")
    assert [line for line in said(page) if line[:5] not in (
        "Shift", "Contr")] == [
        "ArrowLeft true false", "z false true", "? false false"]
    page.run("document.getElementById('text').focus()")
    page.type("#a1 B")
    page.press("Backspace")
    page.press("Tab")
    assert page.run("[document.getElementById('text').value,"
                    " document.activeElement.id]") == ["#a1 ", "file"]


def test_files_chosen_dropped_and_pasted(page, tmp_path):
    (tmp_path / "one.txt").write_text("first")
    (tmp_path / "t\xfco.png").write_text("second")
    paths = [tmp_path / "one.txt", tmp_path / "t\xfco.png"]
    expected = ["one.txt text/plain first t\xfco.png image/png second"]
    page.choose("#file", *paths)
    page.wait("log.length")
    assert said(page) == expected
    page.drop((50, 50), *paths)
    page.wait("log.length")
    assert said(page) == expected
    common.give(page, "body", *paths, by="paste")
    page.wait("log.length")
    assert said(page) == expected


def test_what_goes_wrong_and_out_is_known(page, address):
    assert page.requests[0] == f"{address}/page.html"
    page.run("fetch('none').then(answer => answer.status)")
    assert page.requests[-1] == f"{address}/none"
    assert not [error for error in page.errors if "none" not in error]
    page.run("setTimeout(() => { throw Error('of the page') })")
    page.wait("new Promise(done => setTimeout(() => done(true), 50))")
    assert any("of the page" in error for error in page.errors)
    with pytest.raises(RuntimeError, match="of the test"):
        page.run("(() => { throw Error('of the test') })()")
    with pytest.raises(RuntimeError):
        page.open("http://127.0.0.1:9/")


def test_sizes_and_screenshots(page):
    page.resize(390, 700)
    assert page.run("[innerWidth, innerHeight]") == [390, 700]
    assert common.box(page, "#pad") == {
        "left": 0, "top": 0, "width": 300, "height": 200}
    image = Image.open(io.BytesIO(page.screenshot()))
    page.resize(1440, 900)
    assert image.size == (390, 700)
    assert image.convert("RGB").getpixel((299, 199)) == (255, 0, 0)
    assert image.convert("RGB").getpixel((301, 100)) == (255, 255, 255)


def test_downloads(page):
    page.click(*common.point(page, "#save"))
    path = page.downloads / "saved.png"
    page.wait("new Promise(done => setTimeout(() => done(true), 20))")
    for _ in range(200):
        if path.exists() and path.stat().st_size:
            break
        page.run("new Promise(done => setTimeout(done, 20))")
    assert Image.open(path).size == (3, 2)


def test_tabs_and_schemes(address, tmp_path):
    if chromium.find() is None:
        pytest.skip(f"needs one of {', '.join(chromium.NAMES)}")
    dark = "matchMedia('(prefers-color-scheme: dark)').matches"
    with chromium.Browser(tmp_path) as browser:
        browser.open(f"{address}/page.html")
        browser.run("localStorage.setItem('of', 'both')")
        browser.tab(1)
        browser.open(f"{address}/page.html?second")
        assert browser.run("localStorage.getItem('of')") == "both"
        assert browser.run("location.search") == "?second"
        browser.tab(0)
        assert browser.run("location.search") == ""
        browser.prefer("dark")
        assert browser.run(dark) is True
        browser.prefer("light")
        assert browser.run(dark) is False
