"""The explicit training loops: configurations, steps, checkpoints, runs."""

import contextlib
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny import TINY_REGIONS, random_batch

import tfdivcolor as tdc
from tfdivcolor import data, presets
from tfdivcolor.models import storage
from training import checkpoints, configs, logs, loop, steps, synthetic
from training.train import main

# Runs of a few seconds in some folders; killed in the second epoch if asked to.
# (faults_test.py kills every stage at any moment.)
RUN = """
import dataclasses, os, signal, sys
from pathlib import Path
from tfdivcolor import data
from training import checkpoints, configs, loop
kill, pictures, *workdirs = sys.argv[1:]
config = dataclasses.replace(
    configs.get("smoke"), stages=(configs.Stage("vae", 2),),
    checkpoint_minutes=0.0)
if kill == "kill":
    save = checkpoints.Checkpoints.save
    def save_and_die(self, step):
        save(self, step)
        if step == 6:
            os.kill(os.getpid(), signal.SIGKILL)
    checkpoints.Checkpoints.save = save_and_die
train, validation = (
    data.load(pictures, canvas=32, margin=margin, subset=subset,
              validation_fraction=config.validation_fraction, progress=False)
    for subset, margin in (("train", config.margin), ("validation", 0)))
for workdir in workdirs:
    loop.train_and_evaluate(config, Path(workdir), train, validation)
"""


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        capture_output=True, text=True)


def weights(folder):
    return [v.numpy() for v in tdc.load(folder).weights]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return synthetic.write_folder(tmp_path_factory.mktemp("pictures"))


# --- Whole runs ------------------------------------------------------------


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(pictures, tmp_path):
    killed = run("kill", pictures, tmp_path / "killed")
    assert killed.returncode == -signal.SIGKILL
    both = run("no", pictures, tmp_path / "killed", tmp_path / "whole")
    assert both.returncode == 0, both.stderr
    assert "resumed after step 6" in both.stderr + both.stdout
    for a, b in zip(weights(tmp_path / "whole" / "model"),
                    weights(tmp_path / "killed" / "model")):
        np.testing.assert_array_equal(a, b)
    # What a run leaves for people to look at.
    lines = [json.loads(line) for line in
             (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    trained = [line for line in lines if line["kind"] == "train"]
    checked = [line for line in lines if line["kind"] == "validation"]
    assert {"l2", "gradient", "kl", "gradient_norm", "parameter_norm",
            "pictures_per_second", "learning_rate"} <= set(trained[0])
    assert len(checked) == 2
    history = storage.describe(
        tmp_path / "whole" / "model")["about"]["history"]
    assert [line for line in history if line["kind"] == "validation"] == checked
    assert len(history) == 4  # and the training terms of the same steps
    assert len(list((tmp_path / "whole" / "grids").glob("*.png"))) == 2
    assert list((tmp_path / "whole" / "tensorboard").iterdir())


def test_sigterm_saves_and_ends_well(
        pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(configs.CONFIGS, "smoke", dataclasses.replace(
        configs.get("smoke"), stages=(configs.Stage("vae", 1),)))
    command = ["--config", "smoke", "--data", str(pictures), "--workdir",
               str(tmp_path / "run"), "--set", "deterministic=false",
               "checkpoint_minutes=99"]
    add_terms = loop.add_terms

    def terminated(sums, means, name, step):
        if step == 3:
            signal.raise_signal(signal.SIGTERM)
        add_terms(sums, means, name, step)
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patched:
        patched.setattr(loop, "add_terms", terminated)
        assert main(command) == 0
    assert signal.getsignal(signal.SIGTERM) == before
    assert "0-vae: stopped after step 3 of 4; checkpoint saved; run the " \
        "same command to continue" in capsys.readouterr().out
    assert not (tmp_path / "run" / "model").exists()
    assert main(command) == 0
    said = capsys.readouterr()
    assert "0-vae: resumed after step 3 of 4" in said.out + said.err
    assert (tmp_path / "run" / "model").exists()


@pytest.mark.slow
def test_part_of_an_epoch_from_trained_weights(pictures, tmp_path, make_tiny):
    base = make_tiny(seed=5)
    base.save(tmp_path / "base")
    config = dataclasses.replace(
        configs.get("smoke"), init=str(tmp_path / "base"), deterministic=False,
        stages=(configs.Stage("joint", 0.5, learning_rate=1e-9),))
    train, validation = (
        data.load(pictures, canvas=32, margin=margin, subset=subset,
                  validation_fraction=0.2, progress=False)
        for subset, margin in (("train", 4), ("validation", 0)))
    loop.train_and_evaluate(config, tmp_path / "run", train, validation)
    trained = tdc.load(tmp_path / "run" / "model")
    for got, want in zip(trained.trainable_variables,
                         base.trainable_variables):
        np.testing.assert_allclose(got, want, atol=1e-5)
    history = storage.describe(tmp_path / "run" / "model")["about"]["history"]
    steps_per_epoch = train.steps_per_epoch(config.batch_size)
    assert history[-1]["step"] == round(0.5 * steps_per_epoch)


def test_another_configuration_in_the_same_folder_is_refused(tmp_path):
    checkpoints.claim(tmp_path, configs.get("smoke"), ["a", "b"])
    checkpoints.claim(tmp_path, configs.get("smoke"), ["a", "b"])
    # As one of version 0.4 has it.
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace(' "accumulate": 1,\n', ""))
    assert "accumulate" not in path.read_text()
    checkpoints.claim(tmp_path, configs.get("smoke"), ["a", "b"])
    with pytest.raises(ValueError, match=r"differs in accumulate"):
        checkpoints.claim(
            tmp_path, configs.get("smoke", ["accumulate=2"]), ["a", "b"])
    with pytest.raises(ValueError, match=r"differs in seed"):
        checkpoints.claim(
            tmp_path, configs.get("smoke", ["seed=1"]), ["a", "b"])
    with pytest.raises(ValueError, match=r"differs in pictures_sha256"):
        checkpoints.claim(tmp_path, configs.get("smoke"), ["a", "c"])


# --- The command -----------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["train", "baselines", "write_tfrecords"])
def test_help_does_not_wait_for_tensorflow(name):
    program = (f"import sys\nfrom training import {name}\n"
               f"try:\n    {name}.main(['--help'])\n"
               "except SystemExit:\n    print('tensorflow' in sys.modules)")
    printed = subprocess.run([sys.executable, "-c", program], check=True,
                             capture_output=True, text=True).stdout
    assert printed.endswith("False\n")


@pytest.mark.parametrize("arguments, message", [
    (["--config", "huge"], "config must be one of lfw_base, lfw"),
    (["--config", "smoke", "--set", "speed=9"], "received 'speed'"),
    (["--config", "smoke", "--set", "seed=x"], "seed must be of type int"),
    (["--config", "lfw", "--data", "nowhere"], "nowhere"),
])
def test_wrong_arguments_are_one_line(arguments, message, tmp_path, capsys):
    assert main([*arguments, "--workdir", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_settings_change_fields():
    config = configs.get("lfw", ["seed=4", "clip_norm=5", "epochs=2",
                                 "data=photos"])
    assert (config.seed, config.clip_norm, config.data) == (4, 5.0, "photos")
    assert [stage.epochs for stage in config.stages] == [2, 2]


# --- Steps -----------------------------------------------------------------


def trained(colorizer, clip_norm=20.0, learning_rate=1e-2,
            make=steps.make_train_step, **options):
    optimizer = keras.optimizers.SGD(learning_rate)
    optimizer.build(colorizer.trainable_variables)
    average = steps.MovingAverage(
        [v.value for v in colorizer.trainable_variables], 0.9)
    return average, make(
        colorizer, optimizer, average, clip_norm, 4, **options)


def test_a_step_is_traced_once_and_lowers_the_loss(make_tiny):
    average, step = trained(make_tiny(), learning_rate=3e-3)
    batch = {name: tf.constant(value)
             for name, value in random_batch(4, 32).items()}
    found = [float(step(batch, tf.constant(i, tf.int64))["loss"])
             for i in range(8)]
    assert step.experimental_get_tracing_count() == 1
    assert found[-1] < found[0]


def test_the_plain_step_and_the_distributed_one_give_the_same_weights(
        make_tiny):
    results = []
    for make in (steps.plain_train_step, steps.distributed_train_step):
        colorizer = make_tiny(seed=3)
        average, step = trained(colorizer, clip_norm=1.0, make=make)
        terms = [step(random_batch(4, 32), tf.constant(i, tf.int64))
                 for i in range(3)]
        results.append((terms, [*colorizer.variables, *average.averages]))
    (terms, values), (other_terms, other_values) = results
    assert list(terms[0]) == list(other_terms[0])
    for one, other in zip(terms, other_terms):
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-6)
    for one, other in zip(values, other_values, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_one_device_and_one_part_take_the_plain_step(make_tiny, monkeypatch):
    made = []
    for name in ("plain_train_step", "distributed_train_step"):
        monkeypatch.setattr(
            steps, name, lambda *arguments, name=name: made.append(name))
    trained(make_tiny())
    trained(make_tiny(), accumulate=2)
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        trained(make_tiny())
    assert made == ["plain_train_step", "distributed_train_step",
                    "distributed_train_step"]


def test_a_step_moves_by_the_clipped_gradient(make_tiny):
    colorizer = make_tiny()
    _, step = trained(colorizer, clip_norm=0.5, learning_rate=1.0)
    before = [v.numpy() for v in colorizer.trainable_variables]
    norm = step(random_batch(4, 32), tf.constant(0, tf.int64))[
        "gradient_norm"]
    assert norm > 0.5
    moved = math.sqrt(sum(
        float(np.sum((v.numpy() - b) ** 2))
        for b, v in zip(before, colorizer.trainable_variables)))
    assert moved == pytest.approx(0.5, rel=1e-3)


@pytest.mark.slow
def test_a_batch_in_parts_moves_by_the_sum_of_their_gradients():
    def make():
        keras.utils.set_random_seed(0)
        # Dropout draws a mask a part, hence none.
        return presets.build("regions", **TINY_REGIONS, dropout=0.0)

    batch, colorizer = random_batch(4, 32), make()
    loss, gradients = 0.0, None
    for rows in (slice(0, 2), slice(2, 4)):
        part = {name: value[rows] for name, value in batch.items()}
        with tf.GradientTape() as tape:
            terms = colorizer.loss_terms(part, colorizer(part, training=True))
            mean = tf.reduce_sum(terms["loss"]) / 4
        loss += float(mean)
        found = [g.numpy() for g in tape.gradient(
            mean, colorizer.trainable_variables)]
        gradients = found if gradients is None else [
            a + b for a, b in zip(gradients, found)]
    norm = math.sqrt(sum(float(np.sum(g**2)) for g in gradients))

    colorizer = make()
    _, step = trained(colorizer, clip_norm=1.0, accumulate=2)
    before = [v.numpy() for v in colorizer.trainable_variables]
    terms = step(batch, tf.constant(0, tf.int64))
    assert step.experimental_get_tracing_count() == 1
    assert float(terms["loss"]) == pytest.approx(loss, rel=1e-4)
    assert float(terms["gradient_norm"]) == pytest.approx(norm, rel=1e-3)
    assert norm > 1
    for v, b, g in zip(colorizer.trainable_variables, before, gradients):
        np.testing.assert_allclose(v, b - 1e-2 * g / norm, atol=1e-6)


def test_moving_average_by_loop():
    variable = tf.Variable(0.0)
    average = steps.MovingAverage([variable], 0.5)
    expected = 0.0
    for n in range(6):
        variable.assign(float(n + 1))
        momentum = min(0.5, (1 + n) / (10 + n))
        expected = momentum * expected + (1 - momentum) * (n + 1)
        average.update(tf.constant(n, tf.int64))
    assert float(average.averages[0]) == pytest.approx(expected)
    with average.swapped():
        assert float(variable) == pytest.approx(expected)
    assert float(variable) == 6


def test_a_loss_that_is_no_number_stops_the_run():
    with pytest.raises(FloatingPointError, match="loss must be finite.*step 7"):
        loop.add_terms({}, {"loss": tf.constant(float("nan"))}, "0-joint", 7)


def test_a_log_goes_on_after_half_a_line(tmp_path):
    with contextlib.closing(logs.Log(tmp_path)) as log:
        log.scalars("0-joint", "train", 1, {"loss": 2})
        log.scalars("0-joint", "validation", 1, {"loss": 3})
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"time": 1, "sta')
    with contextlib.closing(logs.Log(tmp_path)) as log:
        log.scalars("0-joint", "train", 2, {"loss": 1})
        history = log.history()
    assert [(line["kind"], line["step"]) for line in history] == [
        ("train", 1), ("validation", 1)]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize("epochs", [0, -1, "x"])
def test_epochs_are_above_zero(epochs):
    with pytest.raises(ValueError, match="epochs must be a number above 0"):
        configs.get("lfw", [f"epochs={epochs}"])


def test_init_can_be_left_out():
    assert configs.get("flowers", ["init=null"]).init is None
    with pytest.raises(ValueError, match="init must be of type str"):
        configs.get("flowers", ["init=5"])


def test_schedule_warms_up_and_comes_down():
    schedule = loop.schedule(learning_rate=1.0, warmup_steps=10, total=100)
    values = [float(schedule(i)) for i in range(101)]
    assert np.argmax(values) == 10 and values[10] == pytest.approx(1.0)
    assert values[0] == pytest.approx(0.01)
    assert values[100] == pytest.approx(0.01)


TWO_REPLICAS = """
import keras, numpy as np, tensorflow as tf, sys
sys.path.insert(0, sys.argv[1])
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2)
from tiny import TINY_REGIONS, random_batch
from tfdivcolor import presets
from training import steps, strategies

def train(strategy, accumulate=1):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        colorizer = presets.build("regions", **TINY_REGIONS, dropout=0.0)
        optimizer = keras.optimizers.SGD(1e-3)
        optimizer.build(colorizer.trainable_variables)
        average = steps.MovingAverage(
            [v.value for v in colorizer.trainable_variables], 0.9)
        step = steps.make_train_step(
            colorizer, optimizer, average, 5.0, 8, accumulate)
    data = tf.data.Dataset.from_tensors(random_batch(8, 32))
    losses = []

    def rows(shard):
        return data.map(lambda batch: {name: value[shard[0]::shard[1]]
                                       for name, value in batch.items()})

    for i in range(4):
        for batch in strategies.distribute(strategy, rows):
            losses.append(float(step(batch, tf.constant(i, tf.int64))["loss"]))
    return losses, [a.numpy() for a in average.averages]

one = train(tf.distribute.get_strategy())
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
two = train(mirrored)
print(one[0], two[0])
np.testing.assert_allclose(one[0], two[0], rtol=1e-3)
for a, b in zip(one[1], two[1]):
    np.testing.assert_allclose(a, b, atol=1e-3)
# Batch norm sees a part of the rows at a time.
parts = train(mirrored, accumulate=2)
np.testing.assert_allclose(one[0], parts[0], rtol=0.1)
"""


@pytest.mark.slow
def test_two_replicas_learn_what_one_learns():
    folder = os.path.dirname(os.path.dirname(__file__))
    done = subprocess.run([sys.executable, "-c", TWO_REPLICAS, folder],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
