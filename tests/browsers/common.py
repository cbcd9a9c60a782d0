"""What tests ask of a page in the same way, whichever the browser."""

import base64
import json
import mimetypes
import time
from pathlib import Path


def wait(browser, script, timeout=10):
    """Waits until a script is true; returns its value."""
    end = time.monotonic() + timeout
    while not (value := browser.run(script)):
        if time.monotonic() > end:
            raise TimeoutError(script)
        time.sleep(0.02)
    return value


def box(browser, selector):
    """Where an element is: dict of left, top, width, height in the window."""
    found = browser.run(f"""(() => {{
        const box = document.querySelector({json.dumps(selector)})
            ?.getBoundingClientRect();
        return box && {{left: box.left, top: box.top,
                        width: box.width, height: box.height}}; }})()""")
    assert found, f"{selector}: must be in the page"
    return found


def point(browser, selector, x=0.5, y=0.5):
    """A point of an element, as (x, y) in the window.

    Args:
        x: float, 0 at its left edge to 1 at its right. Defaults to its middle.
        y: float, 0 at its upper edge to 1 at its lower.
    """
    found = box(browser, selector)
    return (found["left"] + x * found["width"],
            found["top"] + y * found["height"])


def give(browser, selector, *paths, by="drop"):
    """Gives files to an element, as a drop or a paste would.

    Args:
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
