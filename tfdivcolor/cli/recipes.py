"""`tfdivcolor colorize --recipe`: an option that sets other options.

As in `command`, the functions import the modules that take time.
"""

import argparse

# Options that a recipe sets.
_SET = ("--num-samples", "--seed", "--mode", "--temperature", "--hint",
        "--keep", "--strength", "--warmer", "--cooler", "--saturation",
        "--same-z", "--page")


def note_given(parser: argparse.ArgumentParser) -> None:
    """Makes a parser note which options the user gives.

    Their values do not show it: a user may give `--seed 0`, the default.

    Args:
        parser: ArgumentParser without arguments.
    """
    for name, kind in ((None, _Noted), ("store", _Noted),
                       ("append", _NotedList), ("store_true", _NotedTrue)):
        parser.register("action", name, kind)
    parser.set_defaults(given=())


def add(group: argparse._ActionsContainer) -> None:
    """Adds the option --recipe."""
    group.add_argument(
        "--recipe", type=_recipe, metavar="FILE",
        help="make only the results of a recipe, a file that the studio "
        "writes, under their ranks; the recipe sets the options of this group, "
        "steering, page, weights and usually the format")


def _recipe(path):
    from tfdivcolor.coloring import recipes

    try:
        return recipes.read(path)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


class _Noted(argparse.Action):
    """Stores a value, and notes that the user gave the option."""

    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, self.stored(namespace, values))
        if option_string:
            namespace.given = (*namespace.given, self.option_strings[-1])

    def stored(self, namespace, values):
        return values


class _NotedList(_Noted):
    def stored(self, namespace, values):
        return [*getattr(namespace, self.dest), values]


class _NotedTrue(_Noted):
    def __init__(self, option_strings, dest, help=None):
        super().__init__(option_strings, dest, nargs=0, default=False,
                         help=help)

    def stored(self, namespace, values):
        return True


def check(options: argparse.Namespace) -> None:
    """Refuses options beside a recipe that sets them.

    Args:
        options: the arguments of `tfdivcolor colorize`.

    Raises:
        ValueError: if the user gave such an option.
    """
    if not options.recipe:
        return
    for option in options.given:
        if option in _SET or (option == "--format"
                              and options.recipe.image_format):
            raise ValueError("--recipe must go without options that it sets "
                             f"(received {option})")


def weights(options: argparse.Namespace) -> str:
    """Returns the weights of --weights if given, else the recipe's."""
    if options.recipe and "--weights" not in options.given:
        return options.recipe.weights
    return options.weights


def check_weights(options: argparse.Namespace, sha256: str) -> None:
    """Refuses weights other than those of the recipe.

    Args:
        options: the arguments of `tfdivcolor colorize`.
        sha256: str. Checksum of the weights, 64 hexadecimal digits.

    Raises:
        ValueError: if the checksums differ.
    """
    recipe = options.recipe
    if recipe and sha256 != recipe.weights_sha256:
        raise ValueError(
            f"--recipe must go with its own weights, {recipe.weights} "
            f"{recipe.weights_sha256[:12]}..., which --weights may name "
            f"(received {weights(options)} {sha256[:12]}...)")
