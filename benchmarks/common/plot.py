"""The figure of a run: goals, sampling, train steps and growth."""

from benchmarks.common import timing

GOOD, BAD, OTHER = "#2a7f4f", "#c0392b", "#6b7a8f"
# Largest multiple of a goal in the figure. Quartiles can be far off, and those
# of a difference can even be negative.
LARGEST_SHOWN = 32


def save(found, path):
    """Draws the figure of a run of `benchmarks.run`.

    Args:
        found: dict, as in its JSON file.
        path: path of a .png, .pdf or .svg.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    parts = found["benchmarks"]
    panels = [(draw, parts[name]) for name, draw in (
        ("sampling", _sampling), ("train_step", _train_step),
        ("growth", _growth)) if name in parts]
    panels.insert(0, (_goals, parts))
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(8, 4 * len(panels)), squeeze=False,
        layout="constrained")
    for axis, (draw, part) in zip(axes[:, 0], panels):
        draw(axis, part)
    machine = found["machine"]
    figure.suptitle(f"{machine['version']}, {machine['processor']}, "
                    f"{machine['date']}"
                    + (", QUICK: do not use" if found["quick"] else ""),
                    fontsize=9)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _goals(axis, parts):
    """Draws each figure as a multiple of its bound; right is better."""
    rows = []
    for part in parts.values():
        for one in part["goals"]:
            bound = one["at_least"] or one["at_most"]
            if not one["found"] or not bound:
                continue
            values = [max(one["found"][name], 1e-9) / bound
                      for name in ("low", "median", "high")]
            if one["at_most"]:
                values = [1 / value for value in reversed(values)]
            rows.append((one["name"], one["met"], values))
    for i, (_, met, (low, middle, high)) in enumerate(reversed(rows)):
        colour = GOOD if met else BAD
        axis.plot([low, high], [i, i], color=colour)
        axis.plot(middle, i, "o", color=colour, markersize=4)
    axis.set_yticks(range(len(rows)), [name for name, *_ in reversed(rows)],
                    fontsize=6)
    axis.set_xscale("log", base=2)
    axis.set_xlim(1 / LARGEST_SHOWN, LARGEST_SHOWN)
    axis.axvline(1, color="black", linewidth=0.8)
    axis.set_title("Goals: met if right of the line (median, quartiles)",
                   fontsize=9)


def _sampling(axis, part):
    """Draws milliseconds per field."""
    rows = [(f"B = {one['B']}, S = {one['S']}",
             1e3 * timing.summary(one["seconds"])["median"]
             / one["B"] / one["S"]) for one in part["times"]]
    names, values = zip(*rows)
    axis.bar(names, values, color=OTHER)
    axis.set_ylabel("ms per field")
    axis.tick_params(axis="x", labelsize=7)
    axis.set_title("Sampling", fontsize=9)


def _train_step(axis, part):
    """Draws seconds of each step, and of its multiply-adds as a product."""
    names, bars = [], {"ours": [], "as one product": [], "PyTorch": []}
    for name, one in part["stages"].items():
        if "ours" not in one:
            continue
        names.append(name)
        total = sum(one["operations"].values())
        bars["ours"].append(timing.summary(one["ours"])["median"])
        bars["as one product"].append(
            total / timing.summary(one["rate"])["median"])
        bars["PyTorch"].append(
            timing.summary(one["torch"])["median"] if "torch" in one else 0)
    for i, (label, values) in enumerate(bars.items()):
        axis.bar([x + 0.27 * (i - 1) for x in range(len(names))], values,
                 width=0.25, label=label, color=(GOOD, OTHER, BAD)[i])
    axis.set_xticks(range(len(names)), names, fontsize=7)
    axis.set_yscale("log")
    axis.set_ylabel("s per step")
    axis.legend(fontsize=7, loc="upper left")
    axis.set_title("Train steps", fontsize=9)


def _growth(axis, part):
    """Draws time against each quantity, both relative to their smallest."""
    for name, one in part["growth"].items():
        middle = [timing.summary(values)["median"]
                  for values in zip(*one["seconds"])]
        axis.plot([size / one["sizes"][0] for size in one["sizes"]],
                  [value / middle[0] for value in middle], "o-", label=name)
    limits = axis.get_xlim()
    axis.plot([1, limits[1]], [1, limits[1]], "--", color="black",
              linewidth=0.8, label="linear")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log", base=2)
    axis.set_xlabel("size / smallest")
    axis.set_ylabel("time / smallest")
    axis.legend(fontsize=7)
    axis.set_title("Growth", fontsize=9)
