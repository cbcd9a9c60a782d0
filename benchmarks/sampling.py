"""Sampling: S colour fields for each of B grey pictures on the canvas.

    time           `Colorizer.sample_fields` at several S and B
    reuse          the grey network run once for S fields, or S times;
                   and one call for S results, or S calls for one
    frozen         weights as constants, or as variables
    limit          the multiply-adds of B = 8, S = 8 as one matrix product
    published      the published network in plain PyTorch (if installed): its
                   mixture, then the decoder on eight means, in eval mode
    profile        time by kind of operation

Our model has trained weights, frozen as in the command (`Colorizer.freeze`),
except where the benchmark only decodes fields.  It runs in the default mode,
and its times include the choice of the results.  The published network has
random weights and takes the mixture's means, as its authors do; choosing them
costs nothing.
"""

import functools

from benchmarks.common import timing
from benchmarks.common.processes import process
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

SAMPLES = (1, 8, 32, 100)  # at B = 1
BATCHES = (1, 8, 32)  # at S = 8
RESULTS = 8
ROUNDS = 9
LIMIT, STRETCH, FLOOR = 1.8, 20.0, 15.0


def measure(options, say):
    """Runs the benchmark; see the module's docstring."""
    shapes = list(dict.fromkeys(
        [*((1, samples) for samples in SAMPLES),
         *((batch, RESULTS) for batch in BATCHES)]))
    if options.quick:
        shapes = [shape for shape in shapes if max(shape) <= 8]
    rounds = options.rounds(ROUNDS)
    with process() as ours:
        say("loading")
        ours(prepare, options)
        say("times of S and B")
        times = timing.alternate(
            {shape: functools.partial(ours, seconds, "sample", *shape)
             for shape in shapes}, rounds)
        say("reuse, frozen")
        reuse = timing.alternate(
            {name: functools.partial(ours, seconds, name, 1, RESULTS)
             for name in ("decode", "decode_apart", "sample",
                          "sample_apart", "sample_loaded")}, rounds)
        say("limit")
        operations = ours(count, 8, RESULTS)
        limit = timing.alternate(
            {"sample": functools.partial(ours, seconds, "sample", 8, RESULTS),
             "rate": functools.partial(ours, product_rate, options.quick)},
            rounds)
        published, absent = _published(ours, options, say)
        say("profile")
        profile = ours(kinds, 8, RESULTS)
    return _report(times, reuse, operations, limit, published, absent,
                   profile)


def _published(ours, options, say):
    """Seconds of our and the published network in turns, or the obstacle."""
    with process() as theirs:
        try:
            theirs(prepare_published, options)
        except ImportError:
            return {}, "torch is not installed"
        say("the published network in PyTorch")
        batches = (1,) if options.quick else (1, 8)
        return {batch: timing.alternate(
            {"ours": functools.partial(
                ours, seconds, "sample", batch, RESULTS),
             **{layout: functools.partial(
                 theirs, published_seconds, batch, layout)
                for layout in ("channels first", "channels last")}},
            # A call takes about a second.
            options.rounds(3)) for batch in batches}, None


def _report(times, reuse, operations, limit, published, absent, profile):
    total = sum(operations.values())
    actual = timing.ratios(
        limit["sample"], [total / rate for rate in limit["rate"]])
    goals = [
        goal("8 fields decoded: grey network 8 times / once",
             timing.ratios(reuse["decode_apart"], reuse["decode"]),
             absolute=_over(reuse["decode_apart"], reuse["decode"])),
        goal("8 results: 8 calls for one / one call",
             timing.ratios(reuse["sample_apart"], reuse["sample"]),
             absolute=_over(reuse["sample_apart"], reuse["sample"])),
        goal(f"B = 1, S = {RESULTS}: weights as variables / frozen",
             timing.ratios(reuse["sample_loaded"], reuse["sample"]),
             absolute=_over(reuse["sample_loaded"], reuse["sample"])),
        goal(f"B = 8, S = {RESULTS}: time / its multiply-adds as a matrix "
             "product", actual, at_most=LIMIT,
             absolute=f"{duration(median(limit['sample']))}, "
             f"{figure(total / 1e9)} GFLOP at "
             f"{figure(median(limit['rate']) / 1e9)} GFLOP/s"),
    ]
    for batch, found in published.items():
        best = min(("channels first", "channels last"),
                   key=lambda layout: median(found[layout]))
        goals.append(goal(
            f"B = {batch}, S = {RESULTS}: published network in PyTorch / "
            "ours", timing.ratios(found[best], found["ours"]),
            at_least=STRETCH if batch == 1 else None,
            absolute=f"{_over(found[best], found['ours'])}, {best}"
            + (f"; floor {FLOOR:g}" if batch == 1 else "")))
    if absent:
        goals.append(goal(
            f"B = 1, S = {RESULTS}: published network in PyTorch / ours", [],
            at_least=STRETCH, absolute=absent))
    return report(
        [section("Time of one call", ["B", "S", "ms", "ms per field"], [
            [str(batch), str(samples), spread([1e3 * t for t in found]),
             figure(1e3 * median(found) / batch / samples)]
            for (batch, samples), found in times.items()]),
         section(f"Multiply-adds of B = 8, S = {RESULTS}", ["kind", "GFLOP"], [
             [kind, figure(value / 1e9)]
             for kind, value in sorted(operations.items())]),
         profiled(f"B = 8, S = {RESULTS}", profile)],
        goals,
        times=[{"B": batch, "S": samples, "seconds": found}
               for (batch, samples), found in times.items()],
        reuse=reuse, operations=operations, limit=limit,
        published=published, profile=profile)


def _over(above, below):
    return f"{duration(median(above))} / {duration(median(below))}"


# --- In our process -------------------------------------------------------

_STATE = {}


def prepare(options):
    """Loads the weights twice and freezes one copy."""
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import tfdivcolor as tdc

    _STATE.update(colorizer=tdc.load(options.weights).freeze(),
                  loaded=tdc.load(options.weights), seed=options.seed)


def seconds(name, batch, samples):
    """Measures a call of one of `_functions`; returns seconds."""
    return _measurement(name, batch, samples)()


@functools.cache
def _measurement(name, batch, samples):
    import tensorflow as tf

    function = _functions(batch, samples)[name]

    def finish():
        function()
        tf.test.experimental.sync_devices()

    return timing.clocked(finish)


@functools.cache
def _functions(batch, samples):
    """dict of functions of no arguments:

    sample: S results per picture. sample_apart: one result, S times.
    sample_loaded: like sample, with weights that are not frozen.
    decode: S latents per picture. decode_apart: one latent, S times.
    """
    import tensorflow as tf

    colorizer = _STATE["colorizer"]
    luminance, seed, temperature = arguments = _arguments(batch)
    z = tf.random.stateless_normal(
        [batch, samples, colorizer.latent_dim], [_STATE["seed"], 1])
    latents = [z[:, i:i + 1] for i in range(samples)]

    @tf.function
    def decode(z, luminance):
        grey, _ = colorizer.look(luminance)
        return colorizer.vae.decoder(z, grey, training=False)

    def sample(count, colorizer=colorizer):
        return colorizer.sample_fields(
            *arguments, tf.constant(count), "diverse")["ab"]

    return {
        "sample": lambda: sample(samples),
        "sample_loaded": lambda: sample(samples, _STATE["loaded"]),
        "sample_apart": lambda: [sample(1) for _ in range(samples)],
        "decode": lambda: decode(z, luminance),
        "decode_apart": lambda: [decode(one, luminance) for one in latents],
    }


def _arguments(batch):
    """Smooth grey pictures, their seeds, and the temperature."""
    import tensorflow as tf

    colorizer, seed = _STATE["colorizer"], _STATE["seed"]
    coarse = tf.random.stateless_uniform([batch, 8, 8, 1], [seed, 0], 0, 100)
    luminance = tf.image.resize(
        coarse, [colorizer.luminance_size] * 2, "bilinear")
    return (luminance, tf.range(batch, dtype=tf.int64) + seed,
            tf.constant(0.5))


def count(batch, samples):
    """dict from a kind of operation to its number in one call for results."""
    import tensorflow as tf

    from benchmarks.common import operations

    colorizer = _STATE["colorizer"]

    @tf.function
    def sample(luminance, seed, temperature):
        return colorizer.sample_fields(
            luminance, seed, temperature, tf.constant(samples), "diverse")

    return operations.count_run(sample, *_arguments(batch))


def product_rate(quick):
    """Measures a matrix product; returns operations per second."""
    return _product(quick)()


@functools.cache
def _product(quick):
    from benchmarks import machine

    return machine.best_product(quick)


def kinds(batch, samples):
    """`operations.profile` of a call for results."""
    from benchmarks.common import operations

    return operations.profile(_functions(batch, samples)["sample"])


# --- In the process of the published network ------------------------------


def prepare_published(options):
    """Makes the networks. Raises ImportError without torch."""
    import torch

    from benchmarks.common import pictures
    from benchmarks.pytorch import networks as torch_networks

    torch.manual_seed(options.seed)
    _STATE.update(canvas=pictures.canvas(options), networks=[
        network.eval() for network in torch_networks.build(options)])


def published_seconds(batch, layout):
    """Measures eight results for each picture of a batch; returns seconds."""
    return _published_measurement(batch, layout)()


@functools.cache
def _published_measurement(batch, layout):
    import copy

    import torch

    from benchmarks.pytorch import networks as torch_networks

    canvas = _STATE["canvas"]
    form = (torch.channels_last if layout == "channels last"
            else torch.contiguous_format)
    vae, mixture = (copy.deepcopy(network).to(memory_format=form)
                    for network in _STATE["networks"])
    luminance = torch.rand(batch, 1, canvas, canvas).to(
        torch_networks.DEVICE, memory_format=form)
    return timing.clocked(lambda: torch_networks.sample(
        vae, mixture, luminance * 2 - 1, RESULTS).cpu())
