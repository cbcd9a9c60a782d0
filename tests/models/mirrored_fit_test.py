"""`fit` on two devices gives what it gives on one.

Run as a program, in a process of its own: TensorFlow must be told of the two
devices before it starts.
"""

import contextlib
import json
import os
import subprocess
import sys

import pytest

SMALL = {"dropout": 0.0, "num_components": 2, "rank": 1}


def run(*arguments):
    """What the program below prints, from JSON."""
    done = subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def assert_equal(one, other, trained=1e-4, checked=1e-4):
    """Loss terms of each epoch agree to within a share of them."""
    assert one["terms"].keys() == other["terms"].keys()
    for name, values in one["terms"].items():
        share = checked if name.startswith("val_") else trained
        assert other["terms"][name] == pytest.approx(
            values, rel=share, abs=1e-4), name


@pytest.mark.slow
def test_a_small_model():
    """Of everything that devices could do each for its own: batch norm,
    noise, a clipped gradient, the slower rate of pretrained weights."""
    results = run("small")
    assert results["weights_moved"] > 1e-3
    for where in ("inside", "outside"):
        assert_equal(results["one"], results[where])
        assert results[where]["weights"] == pytest.approx(
            results["one"]["weights"], rel=1e-4, abs=1e-4)
    assert results["divided"] == []
    assert "must be made or loaded within the scope" in results["foreign"]
    assert "--strategy mirrored" in results["foreign"]
    assert "the optimizer must be made within" in results["optimizer"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["vae", "mdn", "joint"])
@pytest.mark.parametrize("preset", ["regions", "photos"])
def test_presets(preset, stage):
    results = run("preset", preset, stage)
    for where in ("inside", "outside"):
        # Some weights move nothing but what batch norm takes away again, and
        # Adam moves those by rounding errors. Without oneDNN one device is as
        # far from itself.
        assert_equal(results["one"], results[where],
                     trained=1e-3, checked=1e-2)


# --- The program -------------------------------------------------------------


def small(devices):
    import keras
    import numpy as np
    import tensorflow as tf
    from keras import layers

    from tfdivcolor.data import batches
    from tfdivcolor.models.base import LossTermsModel
    from tfdivcolor.models.optimizers import EncoderAdam

    class Small(LossTermsModel):
        canvas = 2
        term_names = ("square", "noise")

        def __init__(self):
            super().__init__()
            features = keras.Input((2, 2, 1))
            x = layers.Conv2D(3, 2, use_bias=False)(features)
            x = layers.BatchNormalization(synchronized=True)(x)
            x = layers.Conv2D(2, 1)(layers.Activation("tanh")(x))
            self.network = keras.Model(features, layers.Flatten()(x))
            self.network.weights[0].pretrained = True
            self.built = True

        def call(self, batch, training=False):
            return self.network(batch["luminance"], training=training)

        def loss_terms(self, batch, outputs):
            target = tf.reduce_mean(batch["ab"], axis=[1, 2])
            square = tf.reduce_sum((outputs - target) ** 2, axis=-1)
            noise = tf.reduce_sum(
                outputs * self._noise(batch, [2]), axis=-1)
            return {"square": square, "noise": noise,
                    "loss": 100 * square + noise}

    rng = np.random.default_rng(0)

    def pictures(count):
        return tf.data.Dataset.from_tensor_slices({
            "luminance": rng.normal(size=(count, 2, 2, 1)).astype("f"),
            "ab": rng.normal(size=(count, 2, 2, 2)).astype("f"),
            "seed": np.arange(count)}).batch(3)

    # Batches that two devices share unequally, and one of a single picture.
    train, check = pictures(4), pictures(4)

    def fit(strategy, scope):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            model = Small()
            before = norms(model)
            model.compile(EncoderAdam(1e-2, global_clipnorm=0.1))
        with scope:
            history = model.fit(train, epochs=3, validation_data=check,
                                verbose=0).history
        return {"terms": history, "weights": norms(model)}, before

    mirrored = tf.distribute.MirroredStrategy(devices[:2])
    one, before = fit(tf.distribute.get_strategy(), contextlib.nullcontext())
    results = {
        "one": one, "inside": fit(mirrored, mirrored.scope())[0],
        "outside": fit(mirrored, contextlib.nullcontext())[0],
        "weights_moved": max(
            abs(a - b) for a, b in zip(before, one["weights"]))}

    model = Small()
    model.compile("adam")
    with pytest.raises(ValueError) as error, mirrored.scope():
        model.fit(train)
    results["foreign"] = str(error.value)

    with mirrored.scope():
        model = Small()
    with pytest.raises(ValueError) as error:
        model.compile(keras.optimizers.Adam())
        model.fit(train)
    results["optimizer"] = str(error.value)

    # Whatever the number of devices, none goes without, and nothing counts
    # twice.
    results["divided"] = []
    for count in (2, 4):
        strategy = tf.distribute.MirroredStrategy(devices[:count])
        for rows in (1, 2, 3, 5, 9):
            data = tf.data.Dataset.from_tensors({"row": tf.range(rows)})
            for batch in strategy.experimental_distribute_dataset(
                    batches.divisible(data, count)):
                parts = strategy.experimental_local_results(batch["row"])
                weights = np.concatenate(strategy.experimental_local_results(
                    batch[batches.WEIGHT]))
                sums = np.bincount(np.concatenate(parts), weights)
                if not (all(len(part) for part in parts)
                        and np.allclose(sums, np.ones(rows))):
                    results["divided"].append([count, rows])
    return results


def preset(devices, name, stage):
    import keras
    import numpy as np
    import tensorflow as tf
    from tiny import TINY_PHOTOS, TINY_REGIONS, random_batch

    from tfdivcolor import presets

    options = {"regions": TINY_REGIONS, "photos": TINY_PHOTOS}[name]

    def pictures(count, seed):
        batch = random_batch(count, 32, seed)
        if name == "photos":
            batch["luminance"] = np.kron(
                batch["luminance"], np.ones([1, 2, 2, 1], "f"))
        return tf.data.Dataset.from_tensor_slices(batch).batch(5)

    train, check = pictures(10, 0), pictures(6, 1)

    def fit(strategy, scope):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            model = presets.build(name, **{**options, **SMALL})
        with scope:
            history = model.fit(
                train, stage=stage, epochs=2, validation_data=check,
                verbose=0).history
        return {"terms": history}

    mirrored = tf.distribute.MirroredStrategy(devices[:2])
    return {"one": fit(tf.distribute.get_strategy(), contextlib.nullcontext()),
            "inside": fit(mirrored, mirrored.scope()),
            "outside": fit(mirrored, contextlib.nullcontext())}


def norms(model):
    """Root of the mean square of every weight, moving statistics included."""
    return [float((weight.numpy() ** 2).mean() ** 0.5)
            for weight in model.weights]


def main(kind, *arguments):
    import tensorflow as tf

    processor, = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        processor, [tf.config.LogicalDeviceConfiguration()] * 4)
    devices = [f"CPU:{number}" for number in range(4)]
    make = {"small": small, "preset": preset}[kind]
    print(json.dumps(make(devices, *arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
