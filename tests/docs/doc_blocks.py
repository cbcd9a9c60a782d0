"""The blocks of code on a page, and the examples in docstrings."""

import fnmatch
import re
import shlex
from pathlib import Path

from doc_lists import NO_PROGRAM, NOT_RUN, SERVERS, SLOW
from markdown_it import MarkdownIt
from sybil import Region
from sybil.document import PythonDocStringDocument
from sybil.parsers.abstract.lexers import strip_prefix
from sybil.region import Lexeme
from sybil.sybil import Sybil

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/index.md", "docs/recolor.md", *sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("examples", "guides")
    for path in (ROOT / "docs" / folder).glob("*.md"))]
MODULES = [path.relative_to(ROOT).as_posix()
           for path in sorted((ROOT / "tfdivcolor").rglob("*.py"))
           if re.search(r"^ +Example:$", path.read_text(), re.M)]

_EXAMPLE = re.compile(
    r"^(?P<indent> *)Example:\n(?P<code>(?:(?P=indent)    .*\n|\n)+)", re.M)


def matches(text, patterns):
    """Whether the text, its spaces squeezed, matches one of the patterns."""
    squeezed = " ".join(text.split())
    return any(fnmatch.fnmatchcase(squeezed, pattern) for pattern in patterns)


def how(text):
    """How a command or a piece of Python code is run.

    Returns:
        "listed" (not at all), "server", "slow" or "default".
    """
    for kind, patterns in (
            ("listed", NOT_RUN), ("server", SERVERS), ("slow", SLOW)):
        if matches(text, patterns):
            return kind
    return "default"


def page(path, evaluators):
    """Parses a page.

    Args:
        path: str, below the checkout.
        evaluators: dict from a language to Sybil's evaluator of its blocks.
            "commands" is that of indented blocks.

    Returns:
        `sybil.Document`, with every block as an example.  `parsed` is the
        block's text.  A block of another language has no evaluator; that of
        `NO_PROGRAM` is "none".
    """
    def blocks(document):
        starts = [0]
        for line in document.text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        for token in MarkdownIt().parse(document.text):
            if token.type in ("fence", "code_block"):
                language = token.info if token.type == "fence" else "commands"
                if matches(token.content, NO_PROGRAM):
                    language = "none"
                first, last = token.map
                yield Region(
                    starts[first], starts[last],
                    # Sybil counts the lines of code from here.
                    Lexeme(token.content, 0, int(token.type == "fence") - 1),
                    evaluators.get(language), {"language": language})
    return Sybil([blocks]).parse(ROOT / path)


def docstrings(path, evaluators):
    """Parses the examples in the docstrings of a module.

    Args:
        path, evaluators: as in `page`.

    Returns:
        `sybil.Document`, as `page` does.  Its namespace is empty: a reader
        has not imported the module.
    """
    def examples(document):
        for match in _EXAMPLE.finditer(document.text + "\n"):
            code = Lexeme(strip_prefix(match["code"], ""), 0, 0)
            yield Region(match.start(), match.end() - 1, code,
                         evaluators.get("python"), {"language": "python"})
    document = Sybil([examples]).parse(ROOT / path)
    assert isinstance(document, PythonDocStringDocument)
    document.pop_evaluator(document.import_document)
    return document


def commands(text):
    """list of the commands in a block, without comments, each in one piece."""
    found, begun = [], ""
    for line in text.splitlines():
        begun += re.sub(r"(^|\s)#\s.*$", "", line)
        if begun.endswith("\\"):
            begun = begun[:-1]
            continue
        try:
            words = shlex.split(begun)
        except ValueError:  # within quotes
            begun += "\n"
            continue
        if words:
            found.append(begun.strip())
        begun = ""
    if begun:
        raise ValueError(f"commands must be whole (received {begun!r})")
    return found


def dialogue(text):
    """A block of output as list of (command or None, lines after it)."""
    parts = [(None, [])]
    for line in text.splitlines():
        if line.startswith("$ "):
            parts.append((line[2:], []))
        elif line not in ("", "..."):
            parts[-1][1].append(line)
    return parts
