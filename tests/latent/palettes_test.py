"""Latents that are palettes, against a loop in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tfdivcolor.latent import palettes


def in_a_loop(centres, draws, own, pull, largest):
    """What `restore_chroma` promises, one colour at a time."""
    result = np.array(centres)
    for b in range(len(centres)):
        for s in range(centres.shape[1]):
            members = [p for p in range(draws.shape[1]) if own[b, p, s]]
            for first in range(0, centres.shape[2], 2):
                colour = centres[b, s, first:first + 2]
                of_members = [np.hypot(*draws[b, p, first:first + 2])
                              for p in members]
                own_chroma = np.hypot(*colour)
                wanted = np.mean(of_members) if members else 0.0
                everywhere = np.mean([np.hypot(*draw[first:first + 2])
                                      for draw in draws[b]])
                part = pull[b, s, 0]
                wanted = part * wanted + (1 - part) * everywhere
                factor = wanted / max(own_chroma, 1e-4)
                result[b, s, first:first + 2] = colour * min(
                    max(factor, 1.0), largest[b, s, 0])
    return result


def clusters(seed, batch=2, draws=30, number=4, regions=5):
    """Draws about some colours, which cluster each is of, and its means."""
    rng = np.random.default_rng(seed)
    member = rng.integers(0, number, [batch, draws])
    own = (member[..., None] == np.arange(number)).astype(np.float32)
    about = rng.normal(size=[batch, number, 2 * regions])
    values = np.take_along_axis(about, member[..., None], axis=1) + (
        rng.normal(size=[batch, draws, 2 * regions]))
    count = np.maximum(own.sum(1), 1)[..., None]
    centres = np.einsum("bps,bpd->bsd", own, values) / count
    return [array.astype(np.float32) for array in (centres, values, own)]


def test_chroma_is_of_pairs():
    z = np.random.default_rng(0).normal(size=[2, 3, 10]).astype(np.float32)
    chroma = palettes.chroma(tf.constant(z)).numpy()
    assert chroma.shape == (2, 3, 5)
    for region in range(5):
        np.testing.assert_allclose(chroma[..., region], np.hypot(
            z[..., 2 * region], z[..., 2 * region + 1]), rtol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_chroma_is_restored_colour_by_colour(seed):
    centres, draws, own = clusters(seed)
    pull = np.float32([1, 0.8, 0.5, 0])[None, :, None] * np.ones(
        [2, 1, 1], np.float32)
    largest = np.float32([2, 2, 1.5, 1.2])[None, :, None] * np.ones(
        [2, 1, 1], np.float32)
    arrays = centres, draws, own, pull, largest
    restored = palettes.restore_chroma(*map(tf.constant, arrays)).numpy()
    np.testing.assert_allclose(
        restored, in_a_loop(*arrays), rtol=1e-4, atol=1e-5)
    # The hue stays; the chroma grows, to the members' or by the largest factor.
    angle, before = (np.arctan2(z[..., 1::2], z[..., ::2])
                     for z in (restored, centres))
    np.testing.assert_allclose(angle, before, atol=1e-3)
    factor = palettes.chroma(restored) / palettes.chroma(centres)
    assert np.all(factor > 0.999) and np.any(factor > 1.2)
    assert np.any(factor > 1.999) and np.all(factor < largest + 1e-3)


def test_red_and_green_give_more_than_grey():
    draws = tf.constant([[[3.0, 1.0], [-1.0, 1.0]]])
    restored = palettes.restore_chroma(
        tf.constant([[[1.0, 1.0]]]), draws, tf.ones([1, 2, 1]),
        tf.ones([1, 1, 1]), 2.0)
    wanted = (10 ** 0.5 + 2 ** 0.5) / 2 / 2 ** 0.5
    np.testing.assert_allclose(restored, [[[wanted, wanted]]], rtol=1e-5)


def test_what_has_no_hue_or_no_members_stays():
    draws = tf.constant([[[3.0, 4.0], [-3.0, -4.0]]])
    for centre, own in (([0.0, 0.0], 1.0), ([2.0, -1.0], 0.0)):
        restored = palettes.restore_chroma(
            tf.constant([[centre]]), draws, own * tf.ones([1, 2, 1]),
            tf.ones([1, 1, 1]), 2.0)
        np.testing.assert_array_equal(restored, [[centre]])


def test_one_draw_is_its_own_mean():
    _, draws, _ = clusters(0)
    own = np.tile(np.eye(30, dtype=np.float32), [2, 1, 1])
    np.testing.assert_allclose(
        palettes.restore_chroma(*map(tf.constant, (
            draws, draws, own, np.ones([2, 30, 1], np.float32), 2.0))),
        draws, rtol=1e-5)
