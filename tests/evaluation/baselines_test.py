"""The baselines as Keras models, and the command that trains them."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings, strategies as st
from tiny import random_batch
from tiny_baselines import NAMES, build

from tfdivcolor import data, evaluation, presets
from tfdivcolor.evaluation import baselines, pictures as evaluation_pictures
from training import baselines as command, loop, synthetic
from training.steps import MovingAverage, make_train_step


@pytest.fixture(scope="module", params=NAMES)
def model(request):
    """Each of the three, untrained, with weights that are nowhere zero."""
    model = build(request.param)
    if request.param == "cvae":
        kernel = model.vae.decoder.painter.correction.kernel
        kernel.assign(tf.random.stateless_normal(kernel.shape, [0, 1]))
    return model


@pytest.fixture(scope="module")
def cvae():
    return build("cvae")


@pytest.fixture(scope="module")
def cgan():
    return build("cgan")


# --- What all three promise ------------------------------------------------


def test_keras_file_and_config_round_trip(model, batch, tmp_path):
    model.save(tmp_path / "model.keras")
    again = baselines.load(tmp_path / "model.keras")
    assert type(again) is type(model)
    assert again.get_config() == model.get_config()
    for a, b in zip(keras.tree.flatten(model(batch)),
                    keras.tree.flatten(again(batch)), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(
        model.sample(batch["luminance"], 2, 3)["ab"],
        again.sample(batch["luminance"], 2, 3)["ab"])


def test_sample_is_a_function_of_picture_and_seed(model, batch):
    luminance = batch["luminance"]
    seeds = np.array([7, -1, 2**62, 7, 0])
    fields = model.sample(luminance, 3, seeds)["ab"]
    assert fields.shape == (5, 3, 32, 32, 2) and fields.dtype == tf.float32
    np.testing.assert_array_equal(
        fields, model.sample(luminance, 3, seeds)["ab"])
    for row, seed in ((3, 7), (1, -1)):  # without its batch mates
        alone = model.sample(luminance[row:row + 1], 3, seed)["ab"]
        np.testing.assert_allclose(alone[0], fields[row], atol=1e-3)


def test_only_the_regression_repeats_itself(model, batch):
    fields = model.sample(batch["luminance"], 3, 0)["ab"].numpy()
    other = model.sample(batch["luminance"], 3, 1)["ab"].numpy()
    if isinstance(model, baselines.RegressionCNN):
        np.testing.assert_array_equal(fields[:, 1:], fields[:, :-1])
        np.testing.assert_array_equal(fields, other)
        np.testing.assert_allclose(
            fields[:, 0], model(batch)["ab_hat"], atol=1e-3)
    else:
        assert np.all(np.ptp(fields, axis=1).max(axis=(1, 2, 3)) > 0)
        assert np.all(np.abs(fields - other).max(axis=(1, 2, 3, 4)) > 0)


@settings(deadline=None, max_examples=10)
@given(count=st.integers(1, 9), seed=st.integers(-2**63, 2**63 - 1))
def test_any_number_and_seed(cgan, count, seed):
    luminance = random_batch(2, 32)["luminance"]
    fields = cgan.sample(luminance, count, seed)["ab"]
    assert fields.shape == (2, count, 32, 32, 2)
    assert np.all(np.isfinite(fields))


@pytest.mark.parametrize("arguments, message", [
    ({"luminance": np.zeros([2, 64, 64, 1])}, r"luminance must.*\[B, 32, 32"),
    ({"num_samples": 0}, r"num_samples must be 1 to 100 \(received 0\)"),
    ({"seed": 2**63}, "seed must fit into 64 bits"),
    ({"seed": [1, 2, 3]}, r"one per picture, \[2\] \(received \[3\]\)"),
])
def test_wrong_arguments_of_sample_are_named(cgan, arguments, message):
    arguments = {"luminance": np.zeros([2, 32, 32, 1]), **arguments}
    with pytest.raises(ValueError, match=message):
        cgan.sample(**arguments)


@pytest.mark.parametrize("name", NAMES)
def test_canvas_must_fit_the_strides(name):
    with pytest.raises(ValueError, match="multiple of 16.*received 40"):
        baselines.MODELS[name](canvas=40)


@pytest.mark.parametrize("name", NAMES)
def test_a_few_steps_lower_the_loss_and_move_every_weight(name):
    model = build(name)
    variables = model.trainable_variables
    before = [v.numpy() for v in variables]
    optimizer = keras.optimizers.Adam(3e-3)
    optimizer.build(variables)
    step = make_train_step(
        model, optimizer, MovingAverage([v.value for v in variables], 0.9),
        clip_norm=20.0, batch_size=8)
    batch = {key: tf.constant(value)
             for key, value in random_batch(8, 32).items()}
    key = "loss" if name == "cvae" else "mae"  # a game has no single loss
    found = [float(step(batch, tf.constant(i, tf.int64))[key])
             for i in range(25)]
    assert found[-1] < 0.8 * found[0]
    for value, variable in zip(before, variables):
        assert np.any(value != variable.numpy()), variable.path


# --- CVAE ------------------------------------------------------------------


def test_cvae_loss_is_that_of_regions_with_the_papers_kl(cvae, batch):
    outputs = cvae(batch, training=False)
    terms = cvae.loss_terms(batch, outputs)
    for name, values in cvae.vae.loss_terms(
            batch, cvae.vae(batch, training=False)).items():
        np.testing.assert_array_equal(terms[name], values)
    weights = dataclasses.replace(
        presets.get("regions").loss_weights, kl=0.32)
    assert cvae.vae.loss_weights == weights
    loc, scale = outputs["loc"].numpy(), outputs["scale"].numpy()
    np.testing.assert_allclose(
        terms["kl"],
        (0.5 * (scale**2 + loc**2 - 1) - np.log(scale)).sum(-1), rtol=1e-4)


def test_cvae_prior_is_standard_normal_whatever_the_picture(cvae, batch):
    prior = cvae.prior(batch["luminance"])
    assert prior.batch_shape == (5,) and prior.event_shape == (6,)
    z = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    np.testing.assert_allclose(
        prior.log_prob(z),
        -0.5 * (z**2).sum(-1) - 3 * np.log(2 * np.pi), rtol=1e-5)


def test_cvae_samples_decode_standard_normal_latents(cvae, batch):
    posterior = cvae.vae.encode(batch["luminance"], batch["ab"])
    assert posterior.event_shape == (6,)
    zero = cvae.vae.decode(tf.zeros([5, 1, 6]), batch["luminance"])
    fields = cvae.sample(batch["luminance"], 100)["ab"]
    # The decoder is smooth: draws of N(0, I) lie about the field of z = 0.
    spread = np.std(fields, axis=1)
    assert np.all(spread.mean(axis=(1, 2, 3)) > 0)
    distance = np.abs(np.mean(fields, axis=1) - zero[:, 0])
    assert distance.mean() < spread.mean()


# --- cGAN ------------------------------------------------------------------


def test_cgan_terms_by_numpy(cgan, batch):
    outputs = cgan(batch, training=False)
    terms = cgan.loss_terms(batch, outputs)

    def logits(ab):
        pair = np.concatenate(
            [batch["luminance"] / 50 - 1, ab / 12.8], axis=-1)
        return cgan.discriminator(pair).numpy()

    def entropy(logits, is_real):
        probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
        chance = probability if is_real else 1 - probability
        return -np.log(chance).mean(axis=(1, 2, 3))

    real, fake = logits(batch["ab"]), logits(outputs["ab_hat"].numpy())
    mae = np.abs(batch["ab"] - outputs["ab_hat"]).mean(axis=(1, 2, 3)) / 128
    adversarial = entropy(fake, True)
    discriminator = entropy(real, True) + entropy(fake, False)
    expected = {"mae": mae, "adversarial": adversarial,
                "discriminator": discriminator,
                "loss": 100 * mae + adversarial + discriminator}
    assert set(terms) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(terms[name], values, rtol=1e-4)


def test_each_network_of_the_cgan_has_its_own_loss(cgan, batch):
    with tf.GradientTape(persistent=True) as tape:
        terms = cgan.loss_terms(batch, cgan(batch, training=True))
    for network, own in ((cgan.generator, ("mae", "adversarial")),
                         (cgan.discriminator, ("discriminator",))):
        variables = [v.value for v in network.trainable_variables]
        of_all = tape.gradient(terms["loss"], variables)
        for term in {"mae", "adversarial", "discriminator"} - set(own):
            assert tape.gradient(terms[term], variables) == (
                [None] * len(variables)), term
        weights = {"mae": 100.0, "adversarial": 1.0, "discriminator": 1.0}
        with_own = [tape.gradient(terms[term], variables) for term in own]
        for i, gradient in enumerate(of_all):
            expected = sum(weights[term] * part[i]
                           for term, part in zip(own, with_own))
            np.testing.assert_allclose(
                gradient, expected, rtol=1e-2, atol=1e-3)


def test_discriminator_sees_patches_of_22_pixels():
    side = 64
    model = baselines.ConditionalGAN(canvas=side, widths=(4, 4, 4, 4),
                                     patch_widths=(4, 4, 4))
    pixels = tf.Variable(tf.random.stateless_normal([1, side, side, 3], [0, 1]))
    with tf.GradientTape() as tape:
        patch = model.discriminator(pixels)[0, 4, 4, 0]
    seen = np.abs(tape.gradient(patch, pixels)[0]).sum(axis=(1, 2)) > 0
    assert seen.sum() == 22


# --- Files -----------------------------------------------------------------


def test_a_file_that_cannot_be_loaded_is_one_line(tmp_path):
    path = tmp_path / "model.keras"
    model = build("regression")
    model.save(path)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for damaged in (b"", b"not a model", whole[:-100], bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"whole \.keras") as error:
            baselines.load(path)
        assert str(path) in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"none\.keras.*received a path"):
        baselines.load(tmp_path / "none.keras")
    keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]).save(path)
    with pytest.raises(ValueError, match="one of cvae.*received Sequential"):
        baselines.load(path)


# --- The command -----------------------------------------------------------


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return synthetic.write_folder(
        tmp_path_factory.mktemp("pictures"), count=40, size=40)


@pytest.fixture
def tiny_models(monkeypatch):
    """The command's models, small."""
    monkeypatch.setattr(baselines, "MODELS", {
        name: lambda canvas, name=name: build(name) for name in NAMES})


def run(pictures, out, *arguments):
    return command.main([
        "--data", str(pictures), "--out", str(out), "--canvas", "32",
        "--batch-size", "16", "--epochs", "1", *arguments])


def test_trains_writes_and_does_not_train_twice(
        tiny_models, pictures, tmp_path, capsys):
    names = ["regression", "cgan"]
    assert run(pictures, tmp_path, "--only", *names) == 0
    printed = capsys.readouterr().out
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == sorted(
        name + end for name in names for end in (".keras", ".json"))
    for name in names:
        path = tmp_path / f"{name}.keras"
        assert f"wrote {path} and" in printed
        trained = baselines.load(path)
        about = json.loads(path.with_suffix(".json").read_text())
        assert about["settings"]["model"] == name
        assert about["settings"]["epochs"] == 1
        assert about["parameters"] == trained.count_params()
        assert about["pictures"] + about["validation_pictures"] == 40
        assert {"loss"} < set(about["validation"])
        assert {"keras", "tensorflow"} < set(about["versions"])
        assert about["seconds"] >= 0
    before = (tmp_path / "cgan.keras").stat().st_mtime_ns
    assert run(pictures, tmp_path, "--only", "cgan") == 0
    assert "already finished" in capsys.readouterr().out
    assert (tmp_path / "cgan.keras").stat().st_mtime_ns == before
    # Other settings never replace a model.
    assert run(pictures, tmp_path, "--only", "cgan", "--seed", "1") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "differs in settings" in error and "--out" in error
    # A damaged one is made again, and the seed makes it the same.
    first = baselines.load(tmp_path / "regression.keras")
    (tmp_path / "regression.keras").write_bytes(b"half")
    assert run(pictures, tmp_path, "--only", "regression") == 0
    again = baselines.load(tmp_path / "regression.keras")
    for a, b in zip(first.variables, again.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-4)


@pytest.mark.parametrize("arguments, message", [
    (["--data", "nowhere"], "nowhere"),
    (["--canvas", "40"], "canvas must be a multiple of 16"),
    (["--batch-size", "1000"], "batch_size must be 1 to"),
    (["--seed", str(2**30)], "seed must be 0 to"),
])
def test_wrong_arguments_are_one_line(
        arguments, message, pictures, tmp_path, capsys):
    assert run(pictures, tmp_path, "--only", "regression", *arguments) == 1
    # Before it the progress and report of reading the pictures.
    error = [line for line in capsys.readouterr().err.splitlines()
             if line.startswith("baselines:")]
    assert len(error) == 1 and message in error[0]
    assert not list(tmp_path.glob("*.keras"))


def test_argparse_refuses_unknown_models_and_zero_epochs(capsys):
    for arguments in (["--only", "gan"], ["--epochs", "0"]):
        with pytest.raises(SystemExit) as stop:
            command.main(arguments)
        assert stop.value.code == 2
    assert "whole number of 1 or more (received '0')" in (
        capsys.readouterr().err)


@pytest.mark.slow
def test_a_prepared_folder_of_a_larger_luminance(
        tiny_models, pictures, tmp_path):
    for subset in ("train", "validation"):
        data.load(pictures, 32, subset=subset, validation_fraction=0.25,
                  luminance_size=64, squash=True, cache=tmp_path / "cache",
                  progress=False)
    out = tmp_path / "out"
    assert run(tmp_path / "cache", out, "--only", "regression", "cvae") == 0
    about = json.loads((out / "regression.json").read_text())
    assert about["pictures"] == len(data.load(
        pictures, 32, subset="train", validation_fraction=0.25,
        progress=False))
    # As it is measured: by a luminance shrunk by averaging.
    photos = evaluation_pictures.load(tmp_path / "cache", 32, 64, "validation")
    measured = evaluation.measure(
        evaluation.Method("regression", baselines.load(
            out / "regression.keras"), most=1), photos, subset=0,
        test_realism=False, progress=False)
    assert measured.values["one"].mean() == pytest.approx(
        about["validation"]["mae"], rel=1e-3)


@pytest.mark.slow
def test_no_more_steps_than_asked_for(
        tiny_models, pictures, tmp_path, monkeypatch):
    rates = []
    schedule = loop.schedule
    monkeypatch.setattr(loop, "schedule", lambda rate, warmup, total: (
        rates.append(total), schedule(rate, warmup, total))[1])
    for out, epochs, steps, total in (
            ("a", 3, 3, 3), ("b", 2, 100, 4), ("c", 2, None, 4)):
        arguments = ["--only", "regression", "--epochs", str(epochs)]
        if steps:
            arguments += ["--steps", str(steps)]
        assert run(pictures, tmp_path / out, *arguments) == 0
        assert rates.pop() == total  # 36 pictures in batches of 16
    one, other = (baselines.load(tmp_path / out / "regression.keras")
                  for out in ("b", "c"))
    for a, b in zip(one.variables, other.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-4)


def test_what_was_trained_before_there_were_steps(
        tiny_models, pictures, tmp_path, capsys):
    assert run(pictures, tmp_path, "--only", "regression") == 0
    about = json.loads((tmp_path / "regression.json").read_text())
    for name in ("steps", "config"):
        del about["settings"][name]
    (tmp_path / "regression.json").write_text(json.dumps(about))
    assert run(pictures, tmp_path, "--only", "regression") == 0
    assert "already finished" in capsys.readouterr().out


@pytest.mark.slow
def test_pictures_as_another_configuration_has_them(
        tiny_models, pictures, tmp_path, monkeypatch):
    asked = []
    load = evaluation_pictures.load
    monkeypatch.setattr(
        evaluation_pictures, "load", lambda *arguments, **options: (
            asked.append((arguments, options)),
            load(*arguments, **options | {"validation_fraction": 0.25}))[1])
    for config in ("lfw", "photos"):
        assert run(pictures, tmp_path / config, "--only", "regression",
                   "--config", config) == 0
    (*_, lfw), (*_, photos) = asked[0], asked[2]
    assert lfw["margin"] == 8 and not lfw["squash"] and not lfw["cache"]
    assert photos["margin"] == 0 and photos["squash"]
    assert photos["validation_fraction"] == 0.01
    # Not TFRecords: decoded once, to a file.
    assert list((tmp_path / "photos" / "fields").glob("train_*.npy"))
    assert run(pictures, tmp_path, "--config", "none") == 1


def test_clustered_prior_samples_as_a_colorizer_does(cvae, batch):
    clustered = baselines.ClusteredPrior(cvae)
    first, again, other = (
        clustered.sample(batch["luminance"], 8, seed, 0.5)["ab"].numpy()
        for seed in (3, 3, 4))
    assert first.shape == (5, 8, 32, 32, 2)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0
    # The most probable is near the mean of N(0, I).
    mean = cvae.vae.decode(tf.zeros([5, 1, 6]), batch["luminance"]).numpy()
    distance = np.square(first - mean).sum(axis=(2, 3, 4))
    assert np.all(distance[:, 0] < distance.mean(axis=1))
