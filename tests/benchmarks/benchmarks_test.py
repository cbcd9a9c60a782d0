"""The benchmarks' own arithmetic; their figures are asserted nowhere."""

import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from benchmarks import growth, machine, onnx, run, start, table, train_step
from benchmarks.common import operations, pictures, processes, results, timing
from tfdivcolor.color.statistics import ColorStatistics
from tfdivcolor.models import losses

QUICK = results.Options(quick=True)

# --- Timing ---------------------------------------------------------------


def test_measurements_take_turns():
    order = []

    def measure(name):
        order.append(name)
        return len(order)

    found = timing.alternate(
        {name: lambda name=name: measure(name) for name in "ab"}, 3)
    assert order == list("ababab")
    assert found == {"a": [1, 3, 5], "b": [2, 4, 6]}
    assert timing.ratios(found["b"], found["a"]) == [2, 4 / 3, 6 / 5]


def test_quick_function_is_called_often_in_a_measurement(monkeypatch):
    now, calls = [0.0], []
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def work():
        calls.append(None)
        now[0] += 0.03

    measure = timing.clocked(work, least=0.1)
    assert len(calls) == 2  # warm-up, trial
    assert measure() == pytest.approx(0.03)
    assert len(calls) == 2 + 4


@pytest.mark.parametrize("values", [[3.0], [2.0, 1.0], [5, 1, 4, 2, 3, 9]])
def test_summary_is_median_and_quartiles(values):
    found = timing.summary(values)
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    assert (found["low"], found["median"], found["high"]) == pytest.approx(
        (low, middle, high))
    assert found["count"] == len(values)


# --- Counting and profiling -----------------------------------------------


def test_operations_of_products_and_convolutions_as_by_hand():
    @tf.function
    def compute(a, b, x, kernel):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            loss = tf.reduce_sum(tf.nn.conv2d(x, kernel, 2, "SAME"))
        tf.matmul(a, a, transpose_b=True)  # nobody asks for it
        return (tf.matmul(a, b, transpose_a=True),
                tf.matmul(a[None], b[None], transpose_a=True),
                loss, tape.gradient(loss, [x, kernel]))

    found = operations.count(
        compute, tf.zeros([5, 3]), tf.zeros([5, 7]),
        tf.zeros([2, 8, 8, 4]), tf.zeros([3, 3, 4, 6]))
    product = 2 * 3 * 7 * 5
    # 4 x 4 pixels come out, each of 3 x 3 x 4 products for 6 channels.
    convolution = 2 * 2 * 4 * 4 * 6 * 3 * 3 * 4
    assert found == {
        "MatMul": product, "BatchMatMulV2": product, "Conv2D": convolution,
        "Conv2DBackpropInput": convolution,
        "Conv2DBackpropFilter": convolution}


def test_operations_of_depthwise_convolutions_as_by_hand():
    @tf.function
    def compute(x, kernel):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            loss = tf.reduce_sum(tf.nn.depthwise_conv2d(
                x, kernel, [1, 2, 2, 1], "SAME"))
        return loss, tape.gradient(loss, [x, kernel])

    found = operations.count(
        compute, tf.zeros([2, 8, 8, 4]), tf.zeros([3, 3, 4, 2]))
    # 4 x 4 pixels come out, each of 3 x 3 products for 4 x 2 channels.
    convolution = 2 * 2 * 4 * 4 * 4 * 2 * 3 * 3
    assert found == {
        "DepthwiseConv2dNative": convolution,
        "DepthwiseConv2dNativeBackpropInput": convolution,
        "DepthwiseConv2dNativeBackpropFilter": convolution}


def test_operations_of_shapes_that_values_decide():
    @tf.function
    def compute(x, rows):
        return tf.matmul(tf.zeros([rows, tf.shape(x)[0]]), x)

    arguments = tf.zeros([5, 7]), tf.constant(3)
    assert operations.count_run(compute, *arguments) == {
        "MatMul": 2 * 3 * 5 * 7}
    with pytest.raises(ValueError, match="static"):
        operations.count(compute, *arguments)


def test_operations_that_would_be_missed_are_refused():
    @tf.function
    def loop(x):
        return tf.map_fn(lambda row: tf.linalg.matmul(row[None], x), x)

    with pytest.raises(ValueError, match="outside of loops"):
        operations.count(loop, tf.zeros([3, 3]))

    @tf.function
    def solid(x):
        return tf.nn.conv3d(x, tf.ones([3, 3, 3, 4, 1]), [1] * 5, "SAME")

    with pytest.raises(ValueError, match="received Conv3D"):
        operations.count(solid, tf.zeros([1, 8, 8, 8, 4]))


def test_profile_names_what_took_the_time():
    a = tf.random.normal([600, 600])

    @tf.function
    def compute(a):
        for _ in range(5):
            a = tf.matmul(a, a) / 25
        return a

    compute(a)
    found = operations.profile(lambda: compute(a), calls=3)
    assert sum(share for share, _ in found.values()) == pytest.approx(1)
    kind, (share, number) = next(iter(found.items()))
    assert "MatMul" in kind and share > 0.5 and number == 5


# --- Growth ---------------------------------------------------------------


@pytest.mark.parametrize("power", [0.5, 1.0, 1.5, 2.0])
def test_exponent_sees_through_a_constant(power):
    sizes = np.array([8, 16, 32, 64])
    values = 3.0 + 0.05 * sizes**power
    assert growth.exponent(sizes, values) == pytest.approx(power, abs=0.02)


def test_exponent_of_noisy_lines_is_about_one():
    random = np.random.default_rng(0)
    sizes = np.array([8, 16, 32, 64])
    found = [growth.exponent(sizes, (0.2 + 0.1 * sizes)
                             * random.normal(1, 0.02, 4)) for _ in range(9)]
    assert np.median(found) == pytest.approx(1, abs=0.1)


def test_flat_is_said_and_meets_the_goal():
    found = growth._goal("files", "memory", (1, 2, 4), [[1.0, 1.01, 1.02]])
    assert found["met"] and found["found"] is None
    assert "| flat " in run.goals({"growth": {"goals": [found]}}).replace(
        "  ", "")
    steep = growth._goal("files", "time", (1, 2, 4), [[1.0, 4.0, 16.0]])
    assert steep["met"] is False
    assert steep["found"]["median"] == pytest.approx(2, abs=0.02)


# --- The published network in PyTorch -------------------------------------


@pytest.fixture(scope="module")
def torch_training():
    pytest.importorskip("torch")
    from benchmarks.pytorch import training as torch_training
    return torch_training


def test_networks_in_pytorch_are_ours(torch_training, monkeypatch):
    from benchmarks.pytorch import networks as torch_networks

    found = train_step.agreement_of(QUICK)
    assert set(found) >= {"parameters, VAE", "largest difference, ab_hat",
                          "largest difference, locs"}
    # Without the mirror they are not: what is compared is looked at.
    monkeypatch.setattr(
        torch_networks, "turned_back",
        lambda x: x.detach().permute(0, 2, 3, 1).numpy())
    with pytest.raises(ValueError, match="ab_hat: must agree"):
        train_step.agreement_of(QUICK)


def test_losses_in_pytorch_are_ours(torch_training):
    import torch

    side, random = 16, np.random.default_rng(0)
    true, predicted = random.normal(0, 0.2, [2, 3, side, side, 2]).astype(
        np.float32)
    arrays = pictures.statistics(side, 0)
    ours = ColorStatistics(**arrays)
    theirs = {name: torch.tensor(array) for name, array in arrays.items()}
    a, b = (torch.tensor(field).permute(0, 3, 1, 2)
            for field in (true, predicted))
    logits, locs, z = (torch.tensor(random.normal(size=shape))
                       for shape in ([3, 4], [3, 4, 6], [3, 6]))
    pairs = [
        (losses.histogram(true, predicted, ours.pixel_weights(128 * true)),
         torch_training.histogram(a, b, theirs["ab_weights"])),
        (losses.mahalanobis(true, predicted, ours.components, ours.stddev),
         torch_training.mahalanobis(
             a, b, theirs["components"], theirs["stddev"])),
        (losses.gradient(true, predicted), torch_training.gradient(a, b)),
        (losses.mdn_nearest_loss(
            {"mixture_logits": logits.numpy(), "locs": locs.numpy()},
            z.numpy()), torch_training.nearest(logits, locs, z))]
    for expected, found in pairs:
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4)


@pytest.mark.slow
def test_operations_of_a_train_step_are_those_that_pytorch_counts(
        torch_training):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.common.stages import Stage

    ours = sum(Stage(QUICK, "paper_skip", "vae", 2).operations().values())
    theirs = torch_training.Stage(QUICK, "vae", torch.contiguous_format)
    with FlopCounterMode(display=False) as counter:
        theirs.step(torch.rand(2, 1, 16, 16), torch.rand(2, 2, 16, 16))
    assert ours == counter.get_total_flops()


# --- Processes, pictures, the program -------------------------------------


def test_process_has_its_environment_and_stays():
    with processes.process(TFDIVCOLOR_TEST="here") as call:
        assert call(os.getenv, "TFDIVCOLOR_TEST") == "here"
        assert call(os.getpid) == call(os.getpid) != os.getpid()
    assert "TFDIVCOLOR_TEST" not in os.environ


def test_pictures_are_jpegs_that_differ_and_repeat(tmp_path):
    first, _ = pictures.paths(QUICK, 3, tmp_path)
    contents = [path.read_bytes() for path in first]
    assert len(set(contents)) == 3
    with Image.open(first[0]) as picture:
        assert picture.format == "JPEG" and picture.size == (250, 250)
    again = tmp_path / "again"
    again.mkdir()
    second, _ = pictures.paths(QUICK, 3, again)
    assert [path.read_bytes() for path in second] == contents
    given, folder = pictures.paths(
        results.Options(data=str(again)), 2, tmp_path)
    assert given == second[:2] and folder == str(again)


def test_figures_are_rounded():
    assert results.figure(1234.5) == "1,234"
    assert results.figure(0.123456) == "0.123"
    assert results.duration(0.0123) == "12.3 ms"
    assert results.spread([1, 2, 3], "s") == "2 (1.5 to 2.5) s"


@pytest.mark.parametrize("values, bounds, met", [
    ([2.0], {"at_least": 2}, True), ([1.9], {"at_least": 2}, False),
    ([1.8], {"at_most": 1.8}, True), ([1.9], {"at_most": 1.8}, False),
    ([1.9], {}, None), ([], {"at_most": 1}, None)])
def test_goal_is_met_or_not(values, bounds, met):
    assert results.goal("", values, **bounds)["met"] is met


def test_table_is_markdown():
    lines = table(["a", "bb"], [["1", "22222"]]).splitlines()
    assert lines == ["| a   |    bb |", "| :-- | ----: |", "| 1   | 22222 |"]


def test_run_goes_on_after_a_failure(tmp_path, monkeypatch, capsys):
    def measure(options, say):
        say("busy")
        return results.report(
            [results.section("Rates", ["", "x"], [["y", "1"]])],
            [results.goal("speed", [1.0, 2.0, 3.0], at_least=4,
                          absolute="2 / 1")], rates=[1])

    def fail(options, say):
        raise ValueError("machine: must work\n(received smoke)")

    monkeypatch.setattr(machine, "measure", fail)
    monkeypatch.setattr(start, "measure", measure)
    written, drawn = tmp_path / "run.json", tmp_path / "run.png"
    code = run.main(["machine", "start", "--json", str(written),
                     "--plot", str(drawn)])
    assert code == 1
    out, error = capsys.readouterr()
    assert "ValueError: machine: must work (received smoke)" in error
    assert "run: failed: machine" in error
    goal, = [line for line in out.splitlines() if line.startswith("| start")]
    assert [cell.strip() for cell in goal.split("|")[1:-1]] == [
        "start", "speed", "2 (1.5 to 2.5)", ">= 4", "NO", "2 / 1"]
    assert out.splitlines()[-2:] == [f"wrote {written}", f"wrote {drawn}"]
    found = json.loads(written.read_text())
    assert found["benchmarks"]["start"]["rates"] == [1]
    assert found["machine"]["seed"] == "0"
    with Image.open(drawn) as figure:
        assert figure.width > 500


@pytest.mark.parametrize("arguments, code, text", [
    (["--help"], 0, "train_step"), (["nothing"], 2, "must be one of machine")])
def test_arguments_are_read_without_tensorflow(arguments, code, text):
    program = (
        "import sys\nfrom benchmarks import run\n"
        f"try: run.main({arguments})\nexcept SystemExit as end:\n"
        "    assert not {'tensorflow', 'torch', 'keras'} & set(sys.modules)\n"
        "    raise\n")
    done = subprocess.run([sys.executable, "-c", program], text=True,
                          capture_output=True)
    assert done.returncode == code
    assert text in done.stdout + done.stderr


@pytest.mark.slow
def test_everything_runs(tmp_path):
    written = tmp_path / "run.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", "--quick", "--json", written],
        text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(written.read_text())["benchmarks"]
    assert tuple(found) == run.NAMES
    assert all(part["tables"] for part in found.values())
    figures = list(itertools.chain(*(p["goals"] for p in found.values())))
    assert len(figures) > 20
    assert all(one["found"] is None or one["found"]["median"] > 0
               for one in figures)


@pytest.mark.slow
def test_the_onnx_file_is_compared():
    found = onnx.measure(results.Options(weights="lfw", quick=True), print)
    assert found["sizes"]["onnx"] > 1e6
    assert all(min(seconds) > 0 for seconds in found["starts"].values())
    assert [one["found"]["median"] > 0 for one in found["goals"]] == [True]
