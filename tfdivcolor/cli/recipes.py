"""`tfdivcolor colorize --recipe`: what a recipe stands for, and excludes.

What takes time to import is imported by the functions, as in `command`.
"""

import argparse

# What a recipe says itself.
_SET = ("--num-samples", "--seed", "--mode", "--temperature", "--hint",
        "--keep", "--strength", "--warmer", "--cooler", "--saturation",
        "--same-z", "--page")


def note_given(parser: argparse.ArgumentParser) -> None:
    """Has a parser, without arguments yet, note which options are given.

    Their values do not tell: `--seed 0` is the default's, but not the recipe's.
    """
    for name, kind in ((None, _Noted), ("store", _Noted),
                       ("append", _NotedList), ("store_true", _NotedTrue)):
        parser.register("action", name, kind)
    parser.set_defaults(given=())


def add(group: argparse._ActionsContainer) -> None:
    """Adds the option."""
    group.add_argument(
        "--recipe", type=_recipe, metavar="FILE",
        help="make the results of a recipe, a file that the studio writes, "
        "and only these, under their ranks; it sets all of these options, "
        "the page, the weights and mostly the format")


def _recipe(path):
    from tfdivcolor.coloring import recipes

    try:
        return recipes.read(path)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


class _Noted(argparse.Action):
    """Stores a value, and that the option was given."""

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
    """Refuses options that stand beside a recipe which sets them.

    Args:
        options: those of `tfdivcolor colorize`.

    Raises:
        ValueError: one of them is given.
    """
    if not options.recipe:
        return
    for option in options.given:
        if option in _SET or (option == "--format"
                              and options.recipe.image_format):
            raise ValueError("--recipe must go without options that it sets "
                             f"(received {option})")


def weights(options: argparse.Namespace) -> str:
    """The weights of a call: the recipe's own, unless others are named."""
    if options.recipe and "--weights" not in options.given:
        return options.recipe.weights
    return options.weights


def check_weights(options: argparse.Namespace, sha256: str) -> None:
    """Refuses weights that a recipe was not made with.

    Raises:
        ValueError: their checksum is another.
    """
    recipe = options.recipe
    if recipe and sha256 != recipe.weights_sha256:
        raise ValueError(
            f"--recipe must go with its own weights, {recipe.weights} "
            f"{recipe.weights_sha256[:12]}..., which --weights may name "
            f"(received {weights(options)} {sha256[:12]}...)")
