"""Markdown of the command line, from its argparse parsers."""

import argparse
import importlib
import re

PROGRAMS = (
    "training.train", "training.baselines", "training.prepare_lfw",
    "training.write_tfrecords", "serving.client.command",
    "serving.standin.server", "serving.load_test.command",
    "serving.bulk.command")


def commands():
    """`tfdivcolor` and each of its commands."""
    from tfdivcolor.cli import command

    parser = command._parser()
    parts = [_usage(parser), parser.description]
    for sub in subparsers(parser).values():
        parts.append(f"## {sub.prog}")
        parts.append(described(sub))
    return "\n\n".join(parts)


def programs():
    """The programs of a checkout, `python -m NAME`."""
    parts = []
    for name in PROGRAMS:
        parser = importlib.import_module(name)._parser()
        parts.append(f"## {parser.prog}")
        parts.append(described(parser))
    return "\n\n".join(parts)


def subparsers(parser):
    """dict from a command's name to its parser."""
    return next(action.choices for action in parser._actions
                if isinstance(action, argparse._SubParsersAction))


def described(parser):
    """Description, usage and arguments of one parser."""
    parts = [_text(parser.description or ""), _usage(parser)]
    for group in parser._action_groups:
        actions = [action for action in group._group_actions
                   if not isinstance(action, argparse._HelpAction)
                   and action.help != argparse.SUPPRESS]
        if not actions:
            continue
        title = {"positional arguments": "Arguments",
                 "options": "Options"}.get(
                     group.title, group.title.capitalize())
        parts.append(f"**{title}**")
        parts += [_argument(parser, action) for action in actions]
    return "\n\n".join(parts)


def _argument(parser, action):
    formatter = parser._get_formatter()
    if action.option_strings:
        value = "" if action.nargs == 0 else " " + formatter._format_args(
            action, formatter._get_default_metavar_for_optional(action))
        name = ", ".join(action.option_strings) + value
    else:
        name = formatter._format_args(
            action, formatter._get_default_metavar_for_positional(action))
    said = formatter._expand_help(action) if action.help else "required"
    return f"`{name}`\n:   {_text(said)}"


def _usage(parser):
    return f"```text\n{parser.format_usage().strip()}\n```"


def _text(text):
    """Plain text as Markdown: keeps paragraphs, and escapes all markup."""
    def escaped(part):
        return re.sub(r"([\\*_<\[|#])", r"\\\1", part)
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(
        part if part.startswith("    ") else
        "`".join(escaped(piece) if even % 2 == 0 else piece
                 for even, piece in enumerate(" ".join(
                     part.split()).split("`")))
        for part in paragraphs)
