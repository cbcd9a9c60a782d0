"""The measuring of methods."""

import numpy as np
import pytest
import tensorflow as tf
from skimage.measure import block_reduce
from tiny import random_batch

from tfdivcolor import color, evaluation
from tfdivcolor.data.photo_set import PhotoSet
from tfdivcolor.evaluation import (
    Method,
    floors,
    measurement,
    metrics,
    two_sample,
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The two-sample test has tests of its own; here it need not learn."""
    monkeypatch.setattr(two_sample, "_STEPS", 3)


@pytest.fixture(scope="module")
def photos():
    batch = random_batch(20, 32)
    lab = np.concatenate([batch["luminance"], batch["ab"]], axis=-1)
    return PhotoSet(lab.astype(np.float16), [f"p{i}" for i in range(20)], [],
                    canvas=32)


def test_rows_are_those_of_one_default_call(tiny, photos):
    measured = evaluation.measure(
        Method("tiny", tiny), photos, subset=3, test_realism=False,
        progress=False)
    values = measured.values
    lab = photos.lab.astype(np.float32)
    for i in (0, 17):  # independently, one picture at a time
        drawn = tiny.sample(lab[i:i + 1, ..., :1])["ab"].numpy() / 128
        truth = lab[i:i + 1, ..., 1:] / 128
        assert values["one"][i] == pytest.approx(
            np.abs(drawn[0, 0] - truth[0]).mean(), rel=1e-3)
        for name, k in (("best_of_5", 5), ("best_of_8", 8)):
            assert values[name][i] == pytest.approx(
                metrics.error_of_best(drawn, truth, k)[0], rel=1e-3)
        assert values["pixel_of_8"][i] == pytest.approx(
            metrics.error_of_best_pixel(drawn, truth, 8)[0], rel=1e-3)
    hundred = tiny.sample(lab[:1, ..., :1], 100)["ab"].numpy() / 128
    assert values["best_of_100"][0] == pytest.approx(
        metrics.error_of_best(hundred, lab[:1, ..., 1:] / 128, 100)[0],
        rel=1e-3)
    assert measured.errors.shape == (20, 8)
    assert measured.errors_of_100.shape == (3, 100)
    assert len(values["best_of_100"]) == len(values["pixel_of_100"]) == 3
    assert np.all(values["best_of_8"] <= values["best_of_5"])


@pytest.mark.slow
def test_another_seed_is_measured(tiny, photos):
    first, second = (evaluation.measure(
        Method("tiny", tiny, options={"mode": "samples", "temperature": 1.0}),
        photos, seed, subset=0, test_realism=seed == 0, progress=False)
        for seed in (0, 1))
    assert {"auc", "auc_coarse"} == set(first.values) - set(second.values)
    assert np.all(first.values["best_of_8"] != second.values["best_of_8"])


@pytest.mark.slow
def test_the_truth_as_a_method_makes_no_error(photos):
    class Oracle:
        def sample(self, luminance, num_samples, seed):
            lab = photos.lab.astype(np.float32)
            rows = [np.argmin(np.abs(
                lab[..., :1] - one).reshape(len(lab), -1).sum(1))
                for one in luminance.numpy()]
            return {"ab": tf.constant(
                np.repeat(lab[rows, ..., 1:][:, None], num_samples, axis=1))}

    measured = evaluation.measure(
        Method("truth", Oracle()), photos, subset=2, progress=False)
    for name in ("one", "best_of_8", "best_of_100", "pixel_of_8", "rgb_of_8",
                 "variance", "histogram"):
        np.testing.assert_allclose(measured.values[name], 0, atol=1e-6)
    np.testing.assert_allclose(measured.values["ms_ssim"], 1, atol=1e-5)
    truth = evaluation.truth_rows(photos)
    for name in ("chroma", "colourfulness"):
        np.testing.assert_allclose(
            measured.values[name], truth[name], rtol=1e-4)


def test_one_answer_has_a_gaussian_likelihood(photos):
    measured = evaluation.measure(
        Method("grey", floors.Grey(), most=1), photos, test_realism=False,
        progress=False)
    assert "best_of_5" not in measured.values
    assert measured.errors_of_100 is None
    truth = photos.lab[..., 1:].astype(np.float64) / 128
    np.testing.assert_allclose(
        measured.values["one"], np.abs(truth).mean(axis=(1, 2, 3)), rtol=1e-5)
    # With sigma fitted on the other half, at the mean square of it.
    even, odd = np.square(truth[::2]), np.square(truth[1::2])
    expected = 0.5 * np.log(2 * np.pi * odd.mean()) + even.mean(
        axis=(1, 2, 3)) / (2 * odd.mean())
    np.testing.assert_allclose(
        measured.values["field_nll"][::2], expected, rtol=1e-4)


def test_autoencoder_rows(tiny, photos):
    values = evaluation.measure_autoencoder(
        tiny, photos, subset=4, pixel_weights=lambda ab: tf.ones_like(
            ab[..., 0]))
    lab = photos.lab.astype(np.float32)
    outputs = tiny.vae({"luminance": lab[:, ..., :1], "ab": lab[..., 1:]})
    error = (outputs["ab_hat"].numpy() - lab[..., 1:]) / 128
    np.testing.assert_allclose(
        values["reconstruction"], np.abs(error).mean(axis=(1, 2, 3)),
        rtol=1e-3)
    np.testing.assert_allclose(
        values["reconstruction_weighted"], values["reconstruction"],
        rtol=1e-3)
    assert len(values["field_nll"]) == 4 and len(values["nll"]) == 20
    assert np.all(np.isfinite(values["field_nll"]))


def test_what_the_first_result_promises_and_keeps(tiny, photos):
    measured = evaluation.measure(
        Method("tiny", tiny), photos, subset=0, test_realism=False,
        compare_pairs=False, progress=False)
    lab = photos.lab.astype(np.float32)
    for i in (3, 18):
        drawn = tiny.sample(lab[i:i + 1, ..., :1])
        np.testing.assert_allclose(
            measured.share[i], drawn["share"][0], atol=0.02)
        distances = [np.linalg.norm(field - lab[i, ..., 1:])
                     for field in drawn["ab"][0].numpy()]
        assert measured.nearest[i] == np.argmin(distances)
    np.testing.assert_array_equal(
        measured.values["share"], measured.share[:, 0])
    np.testing.assert_array_equal(
        measured.values["share_kept"], measured.nearest == 0)
    assert "ms_ssim" not in measured.values
    floor = evaluation.measure(
        Method("grey", floors.Grey(), most=1), photos, subset=0,
        test_realism=False, progress=False)
    assert floor.share is None and "share" not in floor.values


def test_colourfulness_of_the_first_result(tiny, photos):
    measured = evaluation.measure(
        Method("tiny", tiny), photos, subset=0, test_realism=False,
        compare_pairs=False, progress=False)
    lab = photos.lab[:1].astype(np.float32)
    fields = tiny.sample(lab[..., :1])["ab"][:, 0]
    rgb = color.join(lab[..., :1], fields).numpy().astype(float)
    rg, yb = rgb[..., 0] - rgb[..., 1], rgb[..., :2].mean(-1) - rgb[..., 2]
    assert measured.values["colourfulness_first"][0] == pytest.approx(
        np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()),
        rel=1e-2)


def test_every_model_sees_its_own_size_of_luminance(
        tiny, tiny_photos, photos):
    batch = random_batch(6, 64)
    lab = np.concatenate([batch["luminance"], batch["ab"]], axis=-1)
    large = PhotoSet(lab.astype(np.float16), list("abcdef"), [], canvas=32,
                     luminance_size=64)
    lab = large.lab.astype(np.float32)
    luminance = lab[..., :1]
    truth = block_reduce(lab[..., 1:], (1, 2, 2, 1), np.mean) / 128
    small = block_reduce(luminance, (1, 2, 2, 1), np.mean)
    for model, seen in ((tiny_photos, luminance), (tiny, small)):
        measured = evaluation.measure(
            Method("model", model), large, subset=2, test_realism=False,
            compare_pairs=False, progress=False)
        drawn = model.sample(seen)["ab"].numpy() / 128
        np.testing.assert_allclose(
            measured.values["one"],
            np.abs(drawn[:, 0] - truth).mean(axis=(1, 2, 3)), rtol=1e-3)
        rows = evaluation.measure_autoencoder(model, large, subset=2)
        found = model.vae({"luminance": seen, "ab": 128 * truth})["ab_hat"]
        np.testing.assert_allclose(
            rows["reconstruction"], np.abs(found / 128 - truth).mean(
                axis=(1, 2, 3)), rtol=1e-3)
        assert np.all(np.isfinite(rows["field_nll"]))
    seconds = measurement.measure_seconds(Method("model", tiny), large)
    assert seconds.shape == (6,) and np.all(seconds > 0)
    assert evaluation.truth_rows(large)["chroma"] == pytest.approx(
        np.hypot(*np.moveaxis(truth, -1, 0)).mean(axis=(1, 2)), rel=1e-4)
