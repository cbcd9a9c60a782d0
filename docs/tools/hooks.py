"""Steps of the site's build beyond MkDocs: `mkdocs.yml` names this file.

Pages may include files of the checkout and generated text.  Equations become
MathML and diagrams SVG here, so that readers' browsers fetch nothing.
"""

import html
import importlib
import logging
import re
import sys
import zlib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# Page of the site -> file of the checkout that it shows.
INCLUDED = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "guides/runbook.md": "serving/README.md",
    "models/photos.md": "tfdivcolor/weights/photos/card.md",
    "models/lfw.md": "tfdivcolor/weights/lfw/card.md",
    "models/flowers.md": "tfdivcolor/weights/flowers/card.md",
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.M | re.S)
_EQUATION = re.compile(
    r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.S)
_GENERATED = re.compile(r"^<!-- generated: (\w+) (\w+)(?: (\S+))? -->$", re.M)

log = logging.getLogger("mkdocs.hooks.tfdivcolor")


def on_config(config):
    for folder in (str(ROOT), str(HERE)):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    return config


def on_page_markdown(markdown, page, config, files):
    path = page.file.src_uri
    source = INCLUDED.get(path, f"docs/{path}")
    if path in INCLUDED:
        markdown = (ROOT / source).read_text()
    markdown = relinked(markdown, path, source)
    markdown = _GENERATED.sub(_generate, markdown)
    return _MERMAID.sub(lambda match: diagram(match[1]), markdown)


def on_page_content(html, page, config, files):
    return _EQUATION.sub(_mathml, html)


def on_post_build(config):
    """Warns of names missing in the reference, which ends a strict build."""
    api = importlib.import_module("api")
    pages = "".join(path.read_text() for path in sorted(
        Path(config.site_dir, "reference").glob("*.html")))
    for name, found in api.public().items():
        if f'id="{found.path}"' not in pages:
            log.warning("tfdivcolor.%s is on no page of the reference", name)
    for path in api.undocumented():
        log.warning("%s has no docstring", path)


def relinked(markdown, page, source):
    """Turns the links of a file of the checkout into links of the site.

    Args:
        markdown: str, the file's text.
        page: the page's path below docs/.
        source: the file's path in the checkout.

    Returns:
        str. Names of files replace links to files without a page.
    """
    pages = {file: name for name, file in INCLUDED.items()}
    up = "../" * page.count("/")

    def moved(match):
        image, text, target = match.groups()
        if "://" in target or target.startswith("#"):
            return match[0]
        target, hash_, anchor = target.partition("#")
        path = (ROOT / source).parent.joinpath(target).resolve()
        path = path.relative_to(ROOT).as_posix()
        if path in pages:
            return f"{image}[{text}]({up}{pages[path]}{hash_}{anchor})"
        if path.startswith("docs/"):
            return f"{image}[{text}]({up}{path[5:]}{hash_}{anchor})"
        return f"{text} (`{path}`)" if path not in text else f"`{path}`"

    return _LINK.sub(moved, markdown)


def _generate(match):
    """`<!-- generated: MODULE FUNCTION [ARGUMENT] -->`, replaced."""
    module, function, argument = match.groups()
    make = getattr(importlib.import_module(module), function)
    return make(argument) if argument else make()


def diagram(source):
    """SVG of a Mermaid diagram, as one block of HTML."""
    import mermaidx

    svg = str(mermaidx.render(source, theme="neutral").svg())
    name = f"diagram-{zlib.crc32(source.encode()):x}"  # of the styles inside
    svg = svg.replace("my-svg", name).replace("\n", " ")
    return f'<div class="diagram">{svg}</div>'


def _mathml(match):
    from latex2mathml import converter

    kind, latex = match.groups()
    block = kind == "div"
    mathml = converter.convert(
        html.unescape(latex), display="block" if block else "inline")
    return f'<div class="equation">{mathml}</div>' if block else mathml
