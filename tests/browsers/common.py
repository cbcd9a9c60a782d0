"""Functions for pages in any browser."""

import base64
import json
import mimetypes
import time
from pathlib import Path


def wait(browser, script, timeout=10):
    """Waits until a script's value is true; returns the value."""
    end = time.monotonic() + timeout
    while not (value := browser.run(script)):
        if time.monotonic() > end:
            raise TimeoutError(script)
        time.sleep(0.02)
    return value


def box(browser, selector):
    """The box of an element: dict of left, top, width, height in pixels."""
    found = browser.run(f"""(() => {{
        const box = document.querySelector({json.dumps(selector)})
            ?.getBoundingClientRect();
        return box && {{left: box.left, top: box.top,
                        width: box.width, height: box.height}}; }})()""")
    assert found, f"{selector}: must be in the page"
    return found


def point(browser, selector, x=0.5, y=0.5):
    """A point of an element, as (x, y) in pixels of the window.

    Args:
        browser: a browser.
        selector: str, CSS selector of the element.
        x: float, from 0 (left edge) to 1 (right edge). Defaults to the middle.
        y: float, from 0 (upper edge) to 1 (lower edge).
    """
    found = box(browser, selector)
    return (found["left"] + x * found["width"],
            found["top"] + y * found["height"])


def give(browser, selector, *paths, by="drop"):
    """Sends an element the events of a drop or a paste of files.

    Args:
        browser: a browser.
        selector: str, CSS selector of the element.
        *paths: paths of the files.
        by: "drop" or "paste".
    """
    files = [{"name": Path(path).name,
              "type": mimetypes.guess_type(path)[0] or "",
              "data": base64.b64encode(Path(path).read_bytes()).decode()}
             for path in paths]
    browser.run(f"""(() => {{
        const transfer = new DataTransfer();
        for (const {{name, type, data}} of {json.dumps(files)})
            transfer.items.add(new File([Uint8Array.from(
                atob(data), char => char.charCodeAt(0))], name, {{type}}));
        const to = document.querySelector({json.dumps(selector)});
        const about = {{bubbles: true, cancelable: true, composed: true}};
        if ({json.dumps(by)} === "paste") {{
            // Firefox has no other way to give an event of one's own files.
            to.dispatchEvent(Object.defineProperty(
                new ClipboardEvent("paste", about), "clipboardData",
                {{value: transfer}}));
            return; }}
        for (const kind of ["dragenter", "dragover", "drop"])
            to.dispatchEvent(new DragEvent(
                kind, {{...about, dataTransfer: transfer}})); }})()""")
