"""`tfdivcolor info`: describes weights and this installation."""

from typing import Any

from tfdivcolor.cli.common import add_running, find_weights, start_tensorflow


def add(commands: Any) -> None:
    """Adds the command's parser."""
    parser = commands.add_parser(
        "info", help="describe trained weights and this installation",
        description="Lists the shipped weights, and describes one of them or "
        "a folder of weights.")
    parser.set_defaults(run=_run)
    add_running(parser)


def _run(options):
    start_tensorflow(options.threads, in_order=True)
    from tfdivcolor import presets
    from tfdivcolor.models import storage

    print(f"shipped weights  {', '.join(presets.shipped()) or 'none'}")
    folder, described = find_weights(options.weights)
    parameters = presets.load(folder).count_params()
    size = sum(file.stat().st_size for file in folder.iterdir())
    rows = [("weights", options.weights), ("folder", folder),
            ("sha256", described["sha256"]), ("size", f"{size / 1e6:.1f} MB"),
            ("parameters", f"{parameters:,}"),
            *((name, value) for name, value in described["about"].items()
              if name != "history"),  # one line per epoch, for plots only
            ("made with", _listed(described["versions"])),
            ("installed", _listed(storage.versions()))]
    card = folder / "card.md"
    if card.is_file():
        rows.append(("card", card))
    for name, value in rows:
        print(f"{name:16} {value}")
    return 0


def _listed(versions):
    return ", ".join(f"{name} {value}" for name, value in versions.items())
