"""Train steps: pictures per second, share of the machine's rate, and PyTorch.

    step           `regions` (vae, mdn, joint), 32 pictures in memory, and
                   `paper_skip` (vae, mdn), 16 pictures: the step of
                   `training.loop`, with clipping and moving average
    limit          its multiply-adds, forwards and backwards, as one large
                   matrix product
    PyTorch        the published network (`paper_skip`) in plain PyTorch,
                   the same steps: in memory, and end to end, where ours reads
                   a PhotoSet's cache and PyTorch decodes JPEG files in two
                   workers of a DataLoader
    variants       the same step compiled by XLA, and in mixed bfloat16
    agreement      checks that the networks have equal numbers of parameters in
                   both frameworks and, with equal weights, equal outputs

The times exclude the first batch and the compilation.  End to end, each round
makes a new pipeline, as an epoch does.
"""

import functools
import re
import tempfile
from pathlib import Path

from benchmarks.common import stages, timing
from benchmarks.common.processes import once, process
from benchmarks.common.results import (
    duration,
    figure,
    goal,
    median,
    profiled,
    report,
    section,
    spread,
)
from benchmarks.common.stages import BATCH, Stage

STAGES = (("regions", "vae"), ("regions", "mdn"), ("regions", "joint"),
          ("paper_skip", "vae"), ("paper_skip", "mdn"))
QUICK = STAGES[2:4]
LIMIT = 2.0  # times the matrix product
STEP, END_TO_END = 1.0, 2.0
# With 32 pictures a step of the published network takes 5 to 9 seconds.
PICTURES = {"regions": BATCH, "paper_skip": BATCH // 2}
ROUNDS = {"regions": 7, "paper_skip": 3}
EPOCH = 2  # steps per round, end to end
EPOCH_ROUNDS = 2
PLAIN, XLA, MIXED = "plain", "XLA (jit_compile)", "mixed bfloat16"
VARIANTS = {PLAIN: {}, XLA: {"jit": True},
            MIXED: {"policy": "mixed_bfloat16"}}
# The published network takes minutes in bfloat16 on processors without
# instructions for it.
VARIED = {STAGES[2]: (PLAIN, XLA, MIXED), STAGES[3]: (PLAIN, XLA)}
VARIANT_BATCH = 8  # small, because some variants are slow
PROFILED, PROFILED_STEPS = ("regions", "joint"), 5
TOLERANCE = 1e-3


def measure(options, say):
    """Runs the benchmark; see the module's docstring."""
    steps, variants, goals, measured = [], [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        for preset, stage in QUICK if options.quick else STAGES:
            name = f"{preset} {stage}"
            say(name)
            found = _stage(options, preset, stage, Path(folder, name))
            measured[name] = found
            steps.append(_row(name, found))
            goals += _goals(name, found)
    for (preset, stage), names in VARIED.items():
        say(f"{preset} {stage}, variants")
        found = once(variants_of, options, preset, stage, names)
        measured[f"{preset} {stage}, variants"] = found
        variants += _variant_rows(f"{preset} {stage}", found)
    say("agreement of the frameworks")
    # Without a GPU, which would round more.
    with process(CUDA_VISIBLE_DEVICES="-1") as call:
        agreement = call(agreement_of, options)
    return report(
        [section("One step, pictures in memory",
                 ["stage", "pictures", "pictures/s", "s per step", "GFLOP",
                  "of the product's rate", "PyTorch s per step", "layout"],
                 steps),
         *(profiled(name, found["profile"])
           for name, found in measured.items() if "profile" in found),
         section(f"Variants of our step, {VARIANT_BATCH} pictures: time / "
                 "plain step", ["stage", "variant", "ratio"], variants),
         section("The published network in both frameworks",
                 ["", "value"], [[key, str(value)]
                                 for key, value in agreement.items()])],
        goals, stages=measured, agreement=agreement)


def _batch(options, preset):
    return 2 if options.quick else PICTURES[preset]


def _stage(options, preset, stage, folder):
    """Measures one stage, our step and PyTorch's in turns."""
    folder.mkdir()
    with process() as ours, process() as theirs:
        operations = ours(prepare, options, preset, stage)
        turns = {"ours": functools.partial(ours, seconds),
                 "rate": functools.partial(ours, product_rate)}
        epochs, layout = {}, None
        if preset == "paper_skip":
            try:
                layout = theirs(prepare_torch, options, stage)
            except ImportError as error:
                layout = f"not run: {error.name} is not installed"
            else:
                turns["torch"] = functools.partial(theirs, torch_seconds)
        found = timing.alternate(turns, options.rounds(ROUNDS[preset]))
        if (preset, stage) == PROFILED:
            found["profile"] = ours(kinds)
        if "torch" in turns:
            paths = ours(prepare_epoch, options, folder)
            epochs = timing.alternate({
                "ours": functools.partial(ours, epoch_seconds),
                "torch": functools.partial(
                    theirs, torch_epoch_seconds, options, paths)},
                options.rounds(EPOCH_ROUNDS))
    return {"operations": operations, "batch": _batch(options, preset),
            "layout": layout, "epochs": epochs, **found}


def _row(name, found):
    total = sum(found["operations"].values())
    return [name, str(found["batch"]),
            figure(found["batch"] / median(found["ours"])),
            spread(found["ours"]), figure(total / 1e9),
            spread([100 * total / second / rate for second, rate in zip(
                found["ours"], found["rate"])], "%"),
            spread(found["torch"]) if "torch" in found else "",
            found["layout"] or ""]


def _goals(name, found):
    total = sum(found["operations"].values())
    yield goal(
        f"{name}: step / its multiply-adds as a matrix product",
        timing.ratios(found["ours"],
                      [total / rate for rate in found["rate"]]),
        at_most=LIMIT,
        absolute=f"{duration(median(found['ours']))}, "
        f"{figure(total / 1e9)} GFLOP at "
        f"{figure(median(found['rate']) / 1e9)} GFLOP/s")
    if not found["layout"]:
        return
    for what, part, bound in (("step", found, STEP),
                              ("end to end", found["epochs"], END_TO_END)):
        if "torch" in part:
            yield goal(
                f"{name}: {what}, PyTorch / ours",
                timing.ratios(part["torch"], part["ours"]), at_least=bound,
                absolute=f"{duration(median(part['torch']))} / "
                f"{duration(median(part['ours']))}"
                + (f" for {EPOCH} steps" if part is not found else ""))
        else:
            yield goal(f"{name}: {what}, PyTorch / ours", [], at_least=bound,
                       absolute=found["layout"])


def _variant_rows(name, found):
    for variant, seconds in found["seconds"].items():
        if variant != PLAIN:
            yield [name, variant,
                   spread(timing.ratios(seconds, found["seconds"][PLAIN]))]
    for variant, reason in found["failed"].items():
        yield [name, variant, f"fails: {reason}"]


# --- In our process -------------------------------------------------------

_STATE = {}


def prepare(options, preset, stage):
    """Makes and traces a stage; returns its operations, dict of float."""
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    from benchmarks import machine

    batch_size = _batch(options, preset)
    one = Stage(options, preset, stage, batch_size)
    _STATE.update(stage=one, batch_size=batch_size,
                  measurement=timing.clocked(one.run, warm=True),
                  rate=machine.best_product(options.quick))
    return one.operations()


def seconds():
    """Measures a step; returns seconds."""
    return _STATE["measurement"]()


def product_rate():
    """Measures a matrix product; returns operations per second."""
    return _STATE["rate"]()


def kinds():
    """`operations.profile` of a step."""
    from benchmarks.common import operations

    return operations.profile(_STATE["stage"].run, PROFILED_STEPS)


def prepare_epoch(options, folder):
    """Decodes pictures into a cache; returns the list of JPEG files."""
    from benchmarks.common import pictures

    batch_size = _STATE["batch_size"]
    count = EPOCH * batch_size
    photos = pictures.decoded(options, count, folder)
    if len(photos) < count:
        raise ValueError(f"data must have {count} pictures in colour "
                         f"(received {len(photos)})")
    _STATE["epoch"] = functools.partial(
        _epoch, photos, batch_size, options.seed)
    return pictures.paths(options, count, folder / "pictures")[0]


def _epoch(photos, batch_size, seed):
    from tfdivcolor import data

    stage = _STATE["stage"]
    stage.train(stage.adapt(photos.batches(
        batch_size, seed=seed, augment=data.Augmentation())))


def epoch_seconds():
    """Measures `EPOCH` steps with reading the pictures; returns seconds."""
    return timing.seconds(_STATE["epoch"])


def variants_of(options, preset, stage, names):
    """Measures a small batch's step in some `VARIANTS`.

    Returns:
        dict of seconds: dict from a variant to a list; failed: dict from a
        variant to its error, one line.
    """
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    made, failed = {}, {}
    for name in names:
        try:
            made[name] = Stage(options, preset, stage, VARIANT_BATCH,
                               **VARIANTS[name])
        # The failure of a variant is a result, too.
        except Exception as error:
            if name == PLAIN:
                raise
            failed[name] = _reason(error)
    # Warm up after making all stages: each stage sets a seed, which makes
    # TensorFlow forget its compiled functions.
    turns = {name: timing.clocked(one.run) for name, one in made.items()}
    return {"seconds": timing.alternate(turns, options.rounds(3)),
            "failed": failed}


def _reason(error):
    """An error as one line, without Keras' text around it."""
    text = re.sub(r"\x1b\[\d*m", "", str(error))  # colours
    text = text.rpartition("Exception encountered when calling")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    text = " ".join(lines).partition(" Arguments received by")[0]
    return f"{type(error).__name__}: {text}"[:160]


# --- In PyTorch's process -------------------------------------------------


def prepare_torch(options, stage):
    """Makes the stage in the faster layout; returns the layout's name.

    Raises:
        ImportError: without torch, or without scikit-image, which converts
            colours.
    """
    import torch

    from benchmarks.common import pictures
    from benchmarks.pytorch import training as torch_training

    torch.manual_seed(options.seed)
    side = pictures.canvas(options)
    trials = {}
    for name, layout in (("channels first", torch.contiguous_format),
                         ("channels last", torch.channels_last)):
        one = torch_training.Stage(options, stage, layout)
        small = torch.rand(8, 1, side, side), torch.rand(8, 2, side, side)
        trials[name] = (timing.clocked(
            functools.partial(one.step, *small), least=0)(), one)
    name = min(trials, key=lambda name: trials[name][0])
    one = trials[name][1]
    size = _batch(options, "paper_skip")
    batch = (2 * torch.rand(size, 1, side, side) - 1,
             torch.rand(size, 2, side, side) - 0.5)
    _STATE.update(stage=one, batch_size=size, measurement=timing.clocked(
        functools.partial(one.step, *batch), warm=True))
    return name


def torch_seconds():
    """Measures a step; returns seconds."""
    return _STATE["measurement"]()


def torch_epoch_seconds(options, paths):
    """Measures the same steps with decoding; returns seconds."""
    from benchmarks.common import pictures
    from benchmarks.pytorch import training as torch_training

    return timing.seconds(lambda: _STATE["stage"].train(
        torch_training.loader(
            paths, pictures.canvas(options), _STATE["batch_size"])))


# --- In a process with both -----------------------------------------------


def agreement_of(options):
    """Checks that the networks in PyTorch equal ours.

    Returns:
        dict of the numbers of parameters, and of the largest differences of
        outputs with the same weights; or of the reason for not comparing.

    Raises:
        ValueError: if the networks differ.
    """
    try:
        from benchmarks.pytorch import networks as torch_networks
    except ImportError:
        return {"not run": "torch is not installed"}
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import keras
    import numpy as np

    keras.utils.set_random_seed(options.seed)
    colorizer = stages.build(options, "paper_skip")
    vae, mixture = (
        network.eval() for network in torch_networks.build(options))
    random = np.random.default_rng(options.seed)
    for variable in colorizer.variables:  # batch norm as after training
        kind = variable.path.rpartition("/")[2]
        if kind in ("gamma", "moving_variance"):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif kind in ("beta", "moving_mean"):
            variable.assign(random.normal(0, 0.3, variable.shape))
    torch_networks.copy_weights(colorizer, vae, mixture)
    side = colorizer.canvas
    luminance = random.uniform(0, 100, [2, side, side, 1]).astype(np.float32)
    ab = random.normal(0, 30, [2, side, side, 2]).astype(np.float32)
    ours = colorizer.vae({"luminance": luminance, "ab": ab}, training=False)
    params = colorizer.mdn(luminance)
    seen = torch_networks.turned(luminance / 50 - 1)
    ab_hat, loc, _ = vae(seen, torch_networks.turned(ab / 128))
    logits, locs = mixture(seen)
    pairs = {
        "ab_hat": (ours["ab_hat"] / 128, torch_networks.turned_back(ab_hat)),
        "posterior": (ours["loc"], loc.detach().numpy()),
        "logits": (params["mixture_logits"], logits.detach().numpy()),
        "locs": (params["locs"], locs.detach().numpy())}
    found = {}
    for name, model, module in (("VAE", colorizer.vae, vae),
                                ("mixture", colorizer.mdn, mixture)):
        counts = (sum(int(np.prod(v.shape))
                      for v in model.trainable_variables),
                  torch_networks.parameters(module))
        if counts[0] != counts[1]:
            raise ValueError(f"{name}: must have equal numbers of parameters "
                             f"in both frameworks (received {counts})")
        found[f"parameters, {name}"] = counts[0]
    for name, (a, b) in pairs.items():
        difference = float(np.abs(np.asarray(a) - b).max())
        if difference > TOLERANCE:
            raise ValueError(f"{name}: must agree to {TOLERANCE} "
                             f"(received a difference of {difference})")
        found[f"largest difference, {name}"] = f"{difference:.1e}"
    return found
