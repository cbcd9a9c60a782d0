"""Makes the pictures of the studio: `python docs/tools/studio_pictures.py`.

The program starts the studio with photographs of scikit-image, made grey, and
takes pictures of its page in Chromium, from eight results to the download
dialog: six for the guide and one for the README, each below 100 kB.
"""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from skimage import data

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browsers import chromium, common  # noqa: E402

OUT = ROOT / "docs" / "pictures"
SIZE = 1280, 800
MOST_BYTES = 100_000
SUIT, ORANGE = (0.1, 0.93), "#b5551e"  # a point of the portrait, as shares


def main():
    with tempfile.TemporaryDirectory() as folder:
        photographs = write(Path(folder))
        with studio(folder, photographs) as address, chromium.Browser(
                Path(folder, "profile"), *SIZE) as browser:
            take(browser, address)


def write(folder):
    """The photographs of the strip: list of paths."""
    portrait = Image.fromarray(data.astronaut()).crop((90, 0, 400, 310))
    made = {"portrait": portrait.resize((930, 930), Image.Resampling.LANCZOS),
            "cat": Image.fromarray(data.chelsea()),
            "coffee": Image.fromarray(data.coffee()),
            "rocket": Image.fromarray(data.rocket())}
    for name, image in made.items():
        image.convert("L").save(folder / f"{name}.png")
    return [folder / f"{name}.png" for name in made]


@contextlib.contextmanager
def studio(folder, photographs):
    """A studio with a data folder of its own; yields its address."""
    process = subprocess.Popen(
        [Path(sys.executable).with_name("tfdivcolor"), "studio",
         "--no-browser", "--port", "0", *photographs], text=True,
        env={**os.environ, "XDG_DATA_HOME": folder}, stdout=subprocess.PIPE)
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait()


def take(browser, address):
    """Colours the portrait, a picture at each stage."""
    browser.open(address)
    settle(browser, timeout=90)
    browser.wait("document.querySelectorAll('#film img').length == 4 && "
                 "[...document.querySelectorAll('#film img')]"
                 ".every(image => image.complete && image.naturalWidth)")
    save(browser, "studio_results")
    browser.press("1")
    browser.press("Enter")
    settle(browser)
    browser.press("s")
    save(browser, "studio_large")
    browser.press("s")
    point = common.point(browser, "#frame", *SUIT)
    browser.hover(*point)
    browser.click(*point)
    browser.wait("!!document.querySelector('#point .chips button.chip')", 60)
    browser.wait("!!document.querySelector('#outline')")
    save(browser, "studio_hint", rest=2.5)  # the disc of colours comes
    browser.run("document.querySelector('#hex').focus()")
    browser.run("document.querySelector('#hex').select()")
    browser.type(ORANGE)
    browser.press("Enter")
    settle(browser)
    browser.press("Escape")
    save(browser, "studio")
    browser.click(*common.point(browser, "#to_grid"))
    settle(browser)
    save(browser, "studio_hinted")
    browser.press("l")
    settle(browser)
    save(browser, "studio_more")
    browser.click(*common.point(browser, "#to_large"))
    settle(browser)
    browser.press("t")
    browser.wait("document.querySelector('#taking').open")
    save(browser, "studio_take")


def settle(browser, timeout=30):
    """Waits until the page shows all requested pictures."""
    browser.wait("""(() => {
        const images = [...document.querySelectorAll(
            "#grid .tile:not([data-which=grey]) img, #results img")];
        return images.length >= 8 && !("busy" in document.body.dataset)
            && !document.querySelector(".waiting")
            && images.every(image => image.src.includes("key=")
                            && image.complete && image.naturalWidth); })()""",
                 timeout)


def save(browser, name, rest=0.4):
    """A picture of the page, in the finest quality that its size allows."""
    time.sleep(rest)  # until transitions have ended
    image = Image.open(io.BytesIO(browser.screenshot())).convert("RGB")
    for quality in range(92, 40, -4):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() <= MOST_BYTES:
            break
    path = OUT / f"{name}.jpg"
    path.write_bytes(file.getvalue())
    print(f"wrote {path}, {file.tell() // 1000} kB, quality {quality}")


if __name__ == "__main__":
    main()
