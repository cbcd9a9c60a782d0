"""The studio's page as tests use it, in either browser."""

import json
import time
import urllib.parse

from browsers import common

PATIENCE = 120  # seconds; networks that have just been loaded are slow at first

# What is seen; neither hidden nor without a size.
_VISIBLE = """(selector => [...document.querySelectorAll(selector)].some(
    element => element.checkVisibility({visibilityProperty: true})
        && element.getBoundingClientRect().width > 0))"""


class Page:
    """The page in a browser; its methods wait for what they lead to."""

    def __init__(self, browser, studio):
        self.browser, self.studio = browser, studio
        browser.errors.clear()
        browser.requests.clear()

    def open(self, photo=None):
        """Opens the printed address, and one photograph."""
        self.browser.open(self.studio.address)
        self.browser.wait("!!document.getElementById('warmth')")  # all is there
        if photo:
            self.show(photo)

    def show(self, photo):
        """Opens a photograph of the strip by its address."""
        self.browser.open("about:blank")
        self.browser.open(f"{self.studio.origin}/#{photo}")
        self.colored()

    def colored(self):
        """Waits until all results are seen and nothing is being done."""
        self.browser.wait("""(() => {
            const images = [...document.querySelectorAll(
                '#grid .tile img, #results .thumb img, #after img.base')]
                .filter(image => image.checkVisibility());
            return !document.body.hasAttribute('data-busy')
                && images.length > 1 && images.every(image =>
                    image.matches('.shown') && image.complete
                    && image.src.endsWith(image.dataset.source))
                && !document.querySelector('#grid .waiting'); })()""", PATIENCE)

    # --- What is there -----------------------------------------------------

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
        """Of the elements."""
        return self.browser.run(
            f"document.querySelectorAll({json.dumps(selector)}).length")

    def stage(self, name):
        """The "key" or "rank" of what lies on the stage."""
        return self.browser.run(
            f"document.getElementById('stage').dataset.{name}")

    def photo(self):
        """Id of the photograph that is shown."""
        return self.browser.run("location.hash.slice(1)")

    def session(self, photo=None):
        """The session, as the server has written it down."""
        return self.studio.ask(
            "GET", f"/api/photos/{photo or self.photo()}")["session"]

    def state(self, photo=None):
        """The state of the session's step that is shown."""
        session = self.session(photo)
        return session["history"][session["at"]]["state"]

    def wait_for_state(self, is_there, photo=None):
        """Waits until the server has a state; returns it."""
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
        """Waits until the server has the page's steps, and no others."""
        end = time.monotonic() + PATIENCE
        while True:
            shown = self.browser.run("""(() => {
                const steps = [...document.querySelectorAll('#steps li')];
                return [steps.length, steps.findIndex(
                    step => step.querySelector('[aria-current]'))]; })()""")
            session = self.session()
            # One that was only opened is not written down.
            written = [max(1, len(session["history"])), session["at"]]
            if shown == written:
                return
            assert time.monotonic() < end, (shown, written)
            time.sleep(0.1)

    # --- What is done ------------------------------------------------------

    def click(self, selector):
        """Clicks the middle of what can be seen of an element."""
        self.wait_for(selector)
        self.browser.run(f"document.querySelector({json.dumps(selector)})"
                         ".scrollIntoView({block: 'nearest'})")
        self.browser.click(*common.point(self.browser, selector))

    def large(self):
        """Goes to the large view, its picture whole."""
        self.browser.press("Enter")
        self.wait_for("#stage")
        self.colored()

    def point(self, x, y):
        """A point of the large picture, in fractions of it."""
        return common.point(self.browser, "#frame", x, y)

    def hint(self, x, y, rgb=None):
        """Sets a hint: the first possible colour, or one that is typed."""
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
        """Takes files away.

        Returns:
            str, the name of the download; its bytes; str, what is said of it.
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

    # --- What must not be --------------------------------------------------

    def leave(self):
        """Ends a test: nothing went wrong, and no other host was asked."""
        self.browser.run("localStorage.clear()")
        origin = self.studio.origin
        strange = [url for url in self.browser.requests if not (
            url.startswith((f"{origin}/", f"blob:{origin}/", "data:"))
            or url == "about:blank")]
        assert not strange, strange
        tokens = [url for url in self.browser.requests
                  if "token" in urllib.parse.urlsplit(url).query]
        assert set(tokens) <= {self.studio.address}, tokens
        # Chromium counts each refusal (4xx) as an error; the page need not.
        errors = [error for error in self.browser.errors
                  if "'source': 'network'" not in error]
        assert not errors, errors
