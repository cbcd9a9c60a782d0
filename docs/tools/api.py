"""The public names of tfdivcolor, read from its source."""

import ast
from functools import cache
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[2]


@cache
def public():
    """dict from a public name to its object in griffe."""
    package = griffe.load(
        "tfdivcolor", search_paths=[ROOT], resolve_aliases=True)
    tree = ast.parse((ROOT / "tfdivcolor" / "__init__.py").read_text())
    table = next(node.value for node in tree.body
                 if isinstance(node, ast.Assign)
                 and getattr(node.targets[0], "id", "") == "_PUBLIC")
    return {name: _meant(package[path.replace(":", ".")])
            for name, path in ast.literal_eval(table).items()}


def _meant(found):
    return found.final_target if found.is_alias else found


def undocumented():
    """Paths of public modules, classes and functions without a docstring."""
    missing = []
    for found in public().values():
        members = [found]
        if found.is_module:
            members += [_meant(member) for member in found.members.values()
                        if member.is_public]
        missing += [member.path for member in members
                    if not (member.is_attribute or member.docstring)]
    return missing


def table():
    """Markdown: every public name, with the first sentence about it."""
    rows = ["| name | what it is |", "|---|---|"]
    for name, found in sorted(public().items(), key=lambda item: (
            item[1].is_module, item[0].lower())):
        summary = found.docstring.value.split("\n\n")[0]
        summary = " ".join(summary.split()).replace("|", "\\|")
        rows.append(f"| [`{name}`][{found.path}] | {summary} |")
    return "\n".join(rows)


def constants():
    """Markdown: the limits and choices in `settings`."""
    rows = ["| name | value |", "|---|---|"]
    for name, member in public()["settings"].members.items():
        if name.isupper() and not name.startswith("_"):
            rows.append(f"| `{name}` | `{member.value}` |")
    return "\n".join(rows)
