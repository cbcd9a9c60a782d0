"""The command `tfdivcolor`: colorize, studio, evaluate, export, info.

Each command is a module.  Its `add` adds a parser whose default `run` is the
function that does the work and returns the exit code.  Only that function
imports slow modules (TensorFlow through `start_tensorflow`), so that `--help`
and wrong arguments get an answer at once.

Exit codes: 0 success; 1 failure, one line on stderr for each error; 2 wrong
arguments; 130 stopped by Ctrl-C.
"""

from collections.abc import Sequence

from tfdivcolor.cli import colorize, evaluate, export, info, studio
from tfdivcolor.cli.common import Parser, UsageError
from tfdivcolor.utils.messages import report


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: list of str. Defaults to the arguments of the process.

    Returns:
        int, the exit code.
    """
    try:
        options = _parser().parse_args(arguments)
        return options.run(options)
    except UsageError as error:
        report(error)
        return 2
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        report(error)
        return 1
    except KeyboardInterrupt as stop:
        report(": ".join(["stopped", *map(str, stop.args)]))
        return 130


def _parser():
    parser = Parser(
        prog="tfdivcolor",
        description="Samples many plausible colourings of grey photographs.")
    commands = parser.add_subparsers(
        metavar="COMMAND", required=True, title="commands")
    for command in (colorize, studio, evaluate, export, info):
        command.add(commands)
    return parser
