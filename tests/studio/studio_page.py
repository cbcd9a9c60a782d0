"""The studio's page for tests, in either browser."""

import json
import time
import urllib.parse

from browsers import common

PATIENCE = 120  # seconds; the networks are slow after a start

# Whether an element is visible and has a size.
_VISIBLE = """(selector => [...document.querySelectorAll(selector)].some(
    element => element.checkVisibility({visibilityProperty: true})
        && element.getBoundingClientRect().width > 0))"""


class Page:
    """The page in a browser; each method waits for its effect."""

    def __init__(self, browser, studio):
        self.browser, self.studio = browser, studio
        browser.errors.clear()
        browser.requests.clear()

    def open(self, photo=None):
        """Opens the printed address and shows a photograph."""
        self.browser.open(self.studio.address)
        self.browser.wait("!!document.getElementById('warmth')")  # last part
        if photo:
            self.show(photo)

    def show(self, photo):
        """Shows a photograph of the strip by its address."""
        self.browser.open("about:blank")
        self.browser.open(f"{self.studio.origin}/#{photo}")
        self.colored()

    def colored(self):
        """Waits until the page shows all results and has no work left."""
        self.browser.wait("""(() => {
            const images = [...document.querySelectorAll(
                '#grid .tile img, #results .thumb img, #after img.base')]
                .filter(image => image.checkVisibility());
            return !document.body.hasAttribute('data-busy')
                && images.length > 1 && images.every(image =>
                    image.matches('.shown') && image.complete
                    && image.src.endsWith(image.dataset.source))
                && !document.querySelector('#grid .waiting'); })()""", PATIENCE)

    # --- Contents ----------------------------------------------------------

    def text(self, selector):
        return self.browser.run(
            f"document.querySelector({json.dumps(selector)}).textContent")

    def is_seen(self, selector):
        return self.browser.run(f"{_VISIBLE}({json.dumps(selector)})")

    def wait_for(self, selector, seen=True, timeout=PATIENCE):
        self.browser.wait(f"{_VISIBLE}({json.dumps(selector)}) === "
                          f"{json.dumps(seen)}", timeout)

    def wait_for_text(self, selector, text):
        self.browser.wait(
            f"document.querySelector({json.dumps(selector)})?.textContent"
            f".includes({json.dumps(text)})", PATIENCE)

    def number(self, selector):
        """The number of matching elements."""
        return self.browser.run(
            f"document.querySelectorAll({json.dumps(selector)}).length")

    def stage(self, name):
        """The "key" or "rank" of the result on the stage."""
        return self.browser.run(
            f"document.getElementById('stage').dataset.{name}")

    def photo(self):
        """The id of the current photograph."""
        return self.browser.run("location.hash.slice(1)")

    def session(self, photo=None):
        """The session on the server."""
        return self.studio.ask(
            "GET", f"/api/photos/{photo or self.photo()}")["session"]

    def state(self, photo=None):
        """The state of the current step on the server."""
        session = self.session(photo)
        return session["history"][session["at"]]["state"]

    def wait_for_state(self, is_there, photo=None):
        """Waits until a function accepts the server's state; returns it."""
        end = time.monotonic() + PATIENCE
        while True:
            session = self.session(photo)
            if session["history"]:
                state = session["history"][session["at"]]["state"]
                if is_there(state):
                    return state
            assert time.monotonic() < end, session
            time.sleep(0.05)

    def wait_for_history(self):
        """Waits until the server has exactly the page's steps."""
        end = time.monotonic() + PATIENCE
        while True:
            shown = self.browser.run("""(() => {
                const steps = [...document.querySelectorAll('#steps li')];
                return [steps.length, steps.findIndex(
                    step => step.querySelector('[aria-current]'))]; })()""")
            session = self.session()
            # The server has no history before the first change.
            written = [max(1, len(session["history"])), session["at"]]
            if shown == written:
                return
            assert time.monotonic() < end, (shown, written)
            time.sleep(0.1)

    # --- Actions -----------------------------------------------------------

    def click(self, selector):
        """Scrolls to an element and clicks its middle."""
        self.wait_for(selector)
        self.browser.run(f"document.querySelector({json.dumps(selector)})"
                         ".scrollIntoView({block: 'nearest'})")
        self.browser.click(*common.point(self.browser, selector))

    def large(self):
        """Opens the large view and shows the whole picture."""
        self.browser.press("Enter")
        self.wait_for("#stage")
        self.colored()

    def point(self, x, y):
        """The window's point (x, y) at fractions of the large picture."""
        return common.point(self.browser, "#frame", x, y)

    def hint(self, x, y, rgb=None):
        """Sets a hint with the first possible colour, or with a typed one."""
        before = self.stage("key")
        self.browser.click(*self.point(x, y))
        self.wait_for("#point .chips .chip")
        if rgb is None:
            self.click("#point .chips .chip")
        else:
            self.browser.run("document.getElementById('hex').focus()")
            self.browser.type(rgb)
            self.browser.press("Enter")
        self.browser.wait(
            f"document.getElementById('stage').dataset.key !== '{before}'",
            PATIENCE)
        self.colored()

    def take_away(self, image_format, what="this"):
        """Downloads files with the dialog.

        Args:
            image_format: str, a format of the dialog.
            what: str, a choice of results: "this", "kept", "all" or "strip".

        Returns:
            str, the name of the download; bytes; str, the dialog's message.
        """
        folder = self.browser.downloads
        for path in folder.iterdir():
            path.unlink()
        if not self.is_seen("#taking"):
            self.browser.press("t")
        self.click(f"label[for=take_{what}]")
        self.click(f"label[for=format_{image_format}]")
        self.click("#taking_start")
        self.wait_for("#taking_link")
        name, size = self.browser.run("""(async () => {
            const link = document.getElementById("taking_link");
            const answer = await fetch(link.href.replace(/\\/file$/, ""));
            const {name, bytes} = await answer.json();
            return [name, bytes]; })()""")
        path = folder / name
        end = time.monotonic() + PATIENCE
        while not path.exists() or path.stat().st_size != size:
            assert time.monotonic() < end, (name, list(folder.iterdir()))
            self.browser.run("new Promise(done => setTimeout(done, 20))")
        said = self.text("#taking_text")
        self.click("#taking_cancel")
        return name, path.read_bytes(), said

    # --- Errors ------------------------------------------------------------

    def leave(self):
        """Ends a test: checks for errors, other hosts and leaked tokens."""
        self.browser.run("localStorage.clear()")
        origin = self.studio.origin
        strange = [url for url in self.browser.requests if not (
            url.startswith((f"{origin}/", f"blob:{origin}/", "data:"))
            or url == "about:blank")]
        assert not strange, strange
        tokens = [url for url in self.browser.requests
                  if "token" in urllib.parse.urlsplit(url).query]
        assert set(tokens) <= {self.studio.address}, tokens
        # Chromium logs each refusal (4xx), but the page may expect one.
        errors = [error for error in self.browser.errors
                  if "'source': 'network'" not in error]
        assert not errors, errors
