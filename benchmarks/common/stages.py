"""The train steps of `training.loop`, for measurements."""

from benchmarks.common import pictures

BATCH = 32
# Small networks for --quick.
SMALL = {"canvas": 16, "num_regions": 8, "widths": (8, 12, 16, 24),
         "feature_channels": 8, "depth": 1, "num_components": 4, "rank": 2}
SMALL_PAPER = {"widths": (8, 12, 16, 24), "feature_widths": (4, 8, 8, 16),
               "mixture_widths": (12, 10, 9, 8, 4), "hidden": 32}
CLIP_NORM, EMA_MOMENTUM, LEARNING_RATE = 20.0, 0.999, 1e-3


def build(options, preset):
    """Makes a `Colorizer` of a preset, or a small version if quick."""
    from tfdivcolor import presets

    if not options.quick:
        return presets.build(preset)
    if preset == "regions":
        return presets.build(preset, **SMALL)
    from tfdivcolor import Colorizer, ColorVAE, LatentMDN
    from tfdivcolor.models import grey_features, paper
    from tfdivcolor.models.losses import LossWeights

    side, widths = pictures.canvas(options), SMALL_PAPER["widths"]
    vae = ColorVAE(
        paper.PaperGreyEncoder(side, widths=widths[:3]),
        paper.PaperPosterior(side, widths=widths),
        paper.PaperDecoder(side, widths=widths[::-1], skip=True),
        LossWeights.paper())
    grey = grey_features.GreyFeatures(side, SMALL_PAPER["feature_widths"])
    head = paper.PaperMixtureHead(
        grey.feature_shape, widths=SMALL_PAPER["mixture_widths"],
        hidden=SMALL_PAPER["hidden"])
    return Colorizer(vae, LatentMDN(grey, head, side, loss="nearest"),
                     stages=("vae", "mdn"))


class Stage:
    """One stage's train step, traced for one batch size.

    Args:
        options: `results.Options`.
        preset: str.
        stage: str. "vae", "mdn" or "joint".
        batch_size: int.
        jit: bool. Whether XLA compiles the step. Defaults to False.
        policy: str. Keras' dtype policy of the networks. Defaults to
            "float32".

    Attributes:
        step: tf.function (batch, step number int64) -> terms.
        adapt: function, dataset of pictures -> dataset for `step`.
        batch: dict of tensors. Generated pictures in memory.
    """

    def __init__(self, options, preset, stage, batch_size=BATCH, jit=False,
                 policy="float32"):
        import keras
        import tensorflow as tf

        from tfdivcolor.color.statistics import ColorStatistics
        from training import steps

        keras.utils.set_random_seed(options.seed)
        keras.config.set_dtype_policy(policy)
        side = pictures.canvas(options)
        colorizer = build(options, preset)
        if colorizer.vae.loss_weights.needs_statistics:
            colorizer.vae.statistics = ColorStatistics(
                **pictures.statistics(side, options.seed))
        self.batch = _batch(batch_size, side, options.seed)
        self._posteriors = None
        with colorizer.training_stage(stage) as (model, self.adapt):
            if stage == "mdn":
                self._posteriors = tf.function(colorizer.posteriors)
            variables = model.trainable_variables
            optimizer = keras.optimizers.Adam(LEARNING_RATE)
            optimizer.build(variables)
            average = steps.MovingAverage(
                [v.value for v in variables], EMA_MOMENTUM)
            self.step = steps.make_train_step(
                model=model, optimizer=optimizer, average=average,
                clip_norm=CLIP_NORM, batch_size=batch_size)
            if jit:
                plain = self.step
                self.step = tf.function(
                    lambda batch, step: plain(batch, step), jit_compile=True)
            # Trace within the context, which freezes the other networks.
            self.run()
        keras.config.set_dtype_policy("float32")

    def run(self):
        """Runs one step on the batch in memory, with all work of the stage."""
        import tensorflow as tf

        batch = self.batch
        if self._posteriors:
            batch = self._posteriors(batch)
        return float(self.step(batch, tf.constant(0, tf.int64))["loss"])

    def train(self, batches):
        """Runs steps over a dataset that `adapt` has made."""
        import tensorflow as tf

        for number, batch in enumerate(batches):
            terms = self.step(batch, tf.constant(number, tf.int64))
            float(terms["loss"])

    def operations(self):
        """Counts the operations of `run`: dict from a kind to float."""
        import collections

        import tensorflow as tf

        from benchmarks.common import operations

        counts, batch = collections.Counter(), self.batch
        if self._posteriors:
            counts.update(operations.count(self._posteriors, batch))
            batch = self._posteriors(batch)
        counts.update(operations.count(
            self.step, batch, tf.constant(0, tf.int64)))
        return dict(counts)


def _batch(size, side, seed):
    import tensorflow as tf

    coarse = tf.random.stateless_uniform([size, 8, 8, 3], [seed, 2], 0, 1)
    lab = tf.image.resize(coarse, [side, side], "bilinear")
    return {"luminance": 100 * lab[..., :1], "ab": 80 * lab[..., 1:] - 40,
            "seed": tf.range(size, dtype=tf.int64)}
