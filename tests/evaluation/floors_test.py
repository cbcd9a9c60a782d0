"""The floors, against scikit-learn and NumPy on small pictures."""

import numpy as np
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from tiny import random_batch

from tfdivcolor.color import statistics
from tfdivcolor.data.photo_set import PhotoSet
from tfdivcolor.evaluation import floors

CANVAS = 16
TRAINING = 150  # more than one batch of the floors' own


def photo_set(lab, canvas=CANVAS):
    return PhotoSet(lab.astype(np.float16), [str(i) for i in range(len(lab))],
                    [], canvas, lab.shape[1] - canvas)


@pytest.fixture(scope="module")
def photos():
    batch = random_batch(TRAINING, CANVAS)
    lab = np.concatenate([batch["luminance"], batch["ab"]], axis=-1)
    rng = np.random.default_rng(1)
    return photo_set(lab + rng.normal(size=lab.shape) * [3, 2, 2])


@pytest.fixture(scope="module")
def colours(photos):
    return statistics.compute(photos, num_components=10)


@pytest.fixture(scope="module")
def neighbours(photos):
    return floors.Neighbours(photos)


@pytest.fixture(scope="module")
def unseen():
    return random_batch(7, CANVAS, seed=2)


def test_grey_is_without_colour(unseen):
    ab = floors.Grey().sample(unseen["luminance"], 3, seed=5)["ab"]
    assert ab.shape == (7, 3, CANVAS, CANVAS, 2)
    assert not np.any(ab)


def test_mean_field_is_the_mean_of_the_fields(photos, colours, unseen):
    ab = floors.MeanField(colours).sample(unseen["luminance"], 3, seed=5)["ab"]
    assert ab.shape == (7, 3, CANVAS, CANVAS, 2)
    mean = photos.lab[..., 1:].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(
        ab, np.broadcast_to(mean, ab.shape), atol=1e-3)


@hypothesis_settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 20))
def test_neighbours_are_scikit_learns(photos, neighbours, seed, count):
    rng = np.random.default_rng(seed)
    luminance = rng.uniform(0, 100, [2, CANVAS, CANVAS, 1]).astype(np.float32)
    search = NearestNeighbors(algorithm="brute").fit(
        photos.lab[..., 0].reshape([TRAINING, -1]).astype(np.float64))
    rows = search.kneighbors(
        luminance.reshape([2, -1]), count, return_distance=False)
    ab = neighbours.sample(luminance, count, seed=0)["ab"]
    assert ab.shape == (2, count, CANVAS, CANVAS, 2)
    np.testing.assert_array_equal(ab, photos.lab[rows][..., 1:])


def test_a_training_picture_is_its_own_neighbour(photos, neighbours):
    lab = photos.lab[[140, 3]].astype(np.float32)
    ab = neighbours.sample(lab[..., :1], TRAINING, seed=0)["ab"]
    np.testing.assert_array_equal(ab[:, 0], lab[..., 1:])
    # All of them is everybody, once.
    every = np.sort(photos.lab[..., 1:].reshape([TRAINING, -1]), axis=0)
    for samples in ab.numpy():
        np.testing.assert_array_equal(
            np.sort(samples.reshape([TRAINING, -1]), axis=0), every)


def test_a_margin_does_not_change_what_a_picture_shows(unseen):
    """Sets kept with room for crops give the whole picture, only smaller."""
    y, x = np.mgrid[0:1:48j, 0:1:48j]
    slopes = np.random.default_rng(0).uniform(5, 30, [6, 2, 3])
    lab = (slopes[:, 0, None, None] * y[..., None]
           + slopes[:, 1, None, None] * x[..., None])
    whole = photo_set(lab.reshape([6, 24, 2, 24, 2, 3]).mean(axis=(2, 4)), 24)
    wide = photo_set(lab, 24)
    assert wide.margin == 24
    luminance = whole.lab[..., :1].astype(np.float32)
    inside = slice(2, -2)  # a resampler treats the borders in its own way
    for predictor in (floors.Neighbours,
                      lambda photos: floors.MeanField(
                          statistics.compute(photos, 2))):
        small, large = (
            predictor(photos).sample(luminance, 1, 0)["ab"].numpy()
            for photos in (whole, wide))
        np.testing.assert_allclose(
            small[:, :, inside, inside], large[:, :, inside, inside],
            atol=0.1)


def test_principal_components_are_scikit_learns(photos, colours, unseen):
    rows = photos.lab[..., 1:].reshape([TRAINING, -1]).astype(np.float64)
    exact = PCA(10, svd_solver="full").fit(rows)
    truth = unseen["ab"].reshape([7, -1])
    expected = exact.inverse_transform(exact.transform(truth))
    found = floors.PrincipalComponents(colours).reconstruct(unseen["ab"])
    assert found.shape == unseen["ab"].shape
    np.testing.assert_allclose(
        np.reshape(found, [7, -1]), expected, atol=0.05)


def test_what_the_components_span_is_kept(colours):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=[4, 10]) * colours.stddev
    ab = 128 * (colours.mean + latents @ colours.components)
    ab = ab.reshape([4, CANVAS, CANVAS, 2]).astype(np.float32)
    np.testing.assert_allclose(
        floors.PrincipalComponents(colours).reconstruct(ab), ab, atol=1e-3)


def test_wrong_input(colours, neighbours, unseen):
    luminance = unseen["luminance"]
    predictors = floors.Grey(), floors.MeanField(colours), neighbours
    for predictor in predictors:
        with pytest.raises(ValueError, match="num_samples .* 1 or more"):
            predictor.sample(luminance, 0, seed=0)
    with pytest.raises(ValueError, match="at most .* 150 .received 151"):
        neighbours.sample(luminance, TRAINING + 1, seed=0)
    for predictor in predictors[1:]:
        with pytest.raises(ValueError, match="luminance must have shape"):
            predictor.sample(luminance[:, :8], 1, seed=0)
    with pytest.raises(ValueError, match="ab must have shape"):
        floors.PrincipalComponents(colours).reconstruct(luminance)
