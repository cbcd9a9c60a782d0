"""ColorVAE, LatentMDN and Colorizer as Keras models."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny import TINY_LATENT, TINY_REGIONS, random_batch

from tfdivcolor import color, presets
from tfdivcolor.color import statistics
from tfdivcolor.data import PhotoSet
from tfdivcolor.latent import distributions, plain_tensorflow
from tfdivcolor.models import losses
from tfdivcolor.models.losses import LossWeights


def dataset(count=16, canvas=32):
    batch = random_batch(count, canvas)
    return tf.data.Dataset.from_tensor_slices(batch).batch(8)


def small_paper(**changes):
    return presets.build("paper", canvas=16, latent_dim=4, **changes)


# --- ColorVAE --------------------------------------------------------------


def test_encode_gives_a_tfp_posterior(tiny, batch):
    posterior = tiny.vae.encode(batch["luminance"], batch["ab"])
    assert type(posterior).__name__ == "Independent"
    assert posterior.batch_shape == (5,)
    assert posterior.event_shape == (TINY_LATENT,)


def test_sample_is_reparameterised_and_keyed_by_seed(make_tiny, batch):
    tiny = make_tiny()  # training moves the averages of batch norm
    outputs = tiny.vae(batch, training=True)
    noise = (outputs["z"] - outputs["loc"]) / outputs["scale"]
    row = {name: value[3:4] for name, value in batch.items()}
    # Batch norm makes loc depend on batch mates in training; noise must not.
    alone = tiny.vae(row, training=True)
    np.testing.assert_allclose(
        noise[3:4], (alone["z"] - alone["loc"]) / alone["scale"], atol=1e-4)


def test_decode_of_encode_is_call(tiny, batch):
    z = tiny.vae.encode(batch["luminance"], batch["ab"]).mean()
    field = tiny.vae.decode(z[:, None], batch["luminance"])[:, 0]
    np.testing.assert_allclose(
        field, tiny.vae(batch, training=False)["ab_hat"], atol=1e-3)


def test_vae_terms_are_the_losses(make_tiny, batch):
    vae = make_tiny().vae
    outputs = vae(batch, training=True)
    terms = vae.loss_terms(batch, outputs)
    true, predicted = batch["ab"] / 128, outputs["ab_hat"] / 128
    np.testing.assert_allclose(
        terms["l2"], losses.l2(true, predicted), rtol=1e-5)
    loc, scale = outputs["loc"].numpy(), outputs["scale"].numpy()
    kl = (0.5 * (scale**2 + loc**2 - 1) - np.log(scale)).sum(-1)
    np.testing.assert_allclose(terms["kl"], kl, rtol=1e-4)
    np.testing.assert_allclose(
        terms["l1"], losses.l1(true, predicted), rtol=1e-5)
    np.testing.assert_allclose(
        terms["loss"], terms["l2"] + 0.01 * terms["l1"]
        + 0.1 * terms["gradient"] + 0.01 * kl, rtol=1e-4)


def test_paper_losses_need_statistics_and_keep_them(tmp_path):
    batch = random_batch(24, 16)
    colorizer = small_paper()
    vae = colorizer.vae
    outputs = vae(batch)
    with pytest.raises(ValueError, match="statistics.*received None"):
        vae.loss_terms(batch, outputs)
    vae.statistics = statistics.compute([batch], num_components=3)
    terms = vae.loss_terms(batch, outputs)
    assert set(terms) == {"histogram", "mahalanobis", "gradient", "kl",
                          "loss"}
    vae.save(tmp_path / "vae.keras")
    again = keras.models.load_model(tmp_path / "vae.keras")
    again_terms = again.loss_terms(batch, again(batch))
    for name in terms:
        np.testing.assert_allclose(again_terms[name], terms[name], rtol=1e-4)


def test_statistics_of_another_canvas_are_refused():
    stats = statistics.compute([random_batch(24, 32)], num_components=3)
    with pytest.raises(ValueError, match=r"16 x 16.*received 2048"):
        small_paper().vae.statistics = stats


@pytest.mark.parametrize("name", ["luminance", "ab"])
def test_a_wrong_shape_is_named(tiny, batch, name):
    wrong = {**batch, name: batch[name][:, :16]}
    with pytest.raises(ValueError, match=f"{name} must have shape"):
        tiny.vae.encode(wrong["luminance"], wrong["ab"])


def test_z_of_a_wrong_shape_is_named(tiny, batch):
    with pytest.raises(ValueError, match=r"z must have shape \[B, S, 16\]"):
        tiny.vae.decode(tf.zeros([5, 16]), batch["luminance"])


# --- What every model promises ---------------------------------------------


def parts(name):
    colorizer = presets.build("regions", **TINY_REGIONS)
    return colorizer if name == "colorizer" else getattr(colorizer, name)


@pytest.mark.parametrize("name", ["vae", "mdn", "colorizer"])
def test_keras_file_and_config_round_trip(name, tmp_path):
    batch = random_batch(3, 32)
    model = parts(name)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    assert len(again.variables) == len(model.variables)
    for a, b in zip(keras.tree.flatten(model(batch)),
                    keras.tree.flatten(again(batch))):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["vae", "mdn", "colorizer"])
def test_gradients_reach_every_weight(name):
    colorizer = presets.build("regions", **TINY_REGIONS)
    model = colorizer if name == "colorizer" else getattr(colorizer, name)
    # The refinement starts at zero, which hides what lies before it.
    correction = colorizer.vae.decoder.correction.kernel
    correction.assign(0.1 * tf.ones_like(correction))
    # So do the residual blocks.
    for weight in colorizer.vae.grey_encoder.weights:
        if weight.path.endswith("_2_norm/gamma"):
            weight.assign(tf.ones_like(weight))
    batch = random_batch(4, 32)
    if name == "mdn":
        batch = colorizer.posteriors(batch)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(
            model.loss_terms(batch, model(batch, training=True))["loss"])
    gradients = tape.gradient(loss, [
        v.value for v in model.trainable_variables])
    for variable, gradient in zip(model.trainable_variables, gradients):
        assert gradient is not None, variable.path
        assert np.all(np.isfinite(gradient)), variable.path
        # A convolution before batch norm may have a zero bias gradient;
        # there is none here, and a softmax is blind to a common shift.
        assert np.any(np.abs(gradient) > 0), variable.path


@pytest.mark.parametrize("name", [
    pytest.param("vae", marks=pytest.mark.slow), "colorizer"])
def test_fit_lowers_the_loss_and_reports_terms(name):
    keras.utils.set_random_seed(0)
    model = parts(name)
    model.compile(optimizer=keras.optimizers.Adam(3e-3))
    history = model.fit(dataset(), epochs=6, verbose=0).history
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert {"l2", "gradient", "kl", "loss"} <= set(history)
    assert history["loss"][-1] == pytest.approx(
        history["l2"][-1] + 0.01 * history["l1"][-1]
        + 0.1 * history["gradient"][-1] + 0.01 * history["kl"][-1]
        + history.get("energy", [0.0])[-1], rel=1e-3)
    assert ("energy" in history) == (name == "colorizer")


# --- LatentMDN -------------------------------------------------------------


def test_mdn_distribution_is_tfps(tiny, batch):
    params = tiny.mdn(batch["luminance"])
    made = tiny.mdn.distribution(params)
    assert type(made).__name__ == "MixtureSameFamily"
    np.testing.assert_allclose(
        made.log_prob(params["locs"][:, 0]),
        plain_tensorflow.log_prob(params, params["locs"])[:, 0], rtol=1e-3)


def test_mdn_stage_trains_the_head_on_frozen_posteriors():
    keras.utils.set_random_seed(0)
    colorizer = presets.build("regions", **TINY_REGIONS)
    vae_before = [v.numpy() for v in colorizer.vae.variables]
    head = colorizer.mdn.head.trainable_variables
    head_before = [v.numpy() for v in head]
    history = colorizer.fit(
        dataset(), stage="mdn", epochs=6, learning_rate=3e-3, verbose=0)
    assert history.history["mdn_nll"][-1] < history.history["mdn_nll"][0]
    for before, after in zip(vae_before, colorizer.vae.variables):
        if "seed" not in after.path:
            np.testing.assert_array_equal(before, after)
    assert any(np.any(b != a.numpy()) for b, a in zip(head_before, head))
    assert colorizer.vae.trainable  # thawed again


@pytest.mark.slow
def test_paper_stages_run_one_after_the_other():
    colorizer = small_paper(loss_weights=LossWeights(l2=1.0, kl=0.32))
    history = colorizer.fit(dataset(canvas=16), epochs=1, verbose=0)
    assert "mdn_nearest_loss" in history.history


def test_unknown_losses_and_stages_are_named(tiny):
    from tfdivcolor.models.mdn import LatentMDN

    with pytest.raises(ValueError, match="nll, nearest.*received 'l1'"):
        LatentMDN(tiny.mdn.features, tiny.mdn.head, loss="l1")
    with pytest.raises(ValueError, match="joint, vae, mdn.*received 'all'"):
        tiny.fit(dataset(), stage="all")


@pytest.fixture(scope="module")
def own():
    return parts("colorizer")


@pytest.mark.parametrize("options, rule", [
    ({"data": np.zeros([4, 32, 32, 3])},
     r"fit: data must be a PhotoSet or .*\(received ndarray"),
    ({"data": random_batch(4, 32)}, r"a PhotoSet or .* \(received dict\)"),
    ({"data": dataset().unbatch()}, r"luminance as float32 of shape \(None,"),
    ({"data": dataset(canvas=16)}, r"received float32 of shape \(None, 16"),
    ({"data": dataset().repeat()}, "data must have an end"),
    ({"validation_data": 3}, "fit: validation_data must be a PhotoSet or"),
    ({"validation_data": dataset().take(0)}, "must have one batch or more"),
    ({"epochs": -1}, "epochs must be 0 or more"),
    ({"learning_rate": float("nan")}, "learning_rate must be a number of 0"),
])
@pytest.mark.parametrize("stage", ["vae", "mdn", "joint"])
def test_what_fit_cannot_train_on_is_one_line(own, options, rule, stage):
    with pytest.raises(ValueError, match=rule) as error:
        own.fit(**{"data": dataset(), "stage": stage, **options})
    assert "\n" not in str(error.value)


def test_photo_sets_that_do_not_fit_are_one_line(own):
    def photos(count, canvas, **options):
        return PhotoSet(np.zeros([count, canvas, canvas, 3]), ["a"] * count,
                        [], canvas, **options)

    for given, rule in (
            (photos(0, 32), r"hold a picture .*\(received PhotoSet\(0 pict"),
            (photos(3, 32), r"batch_size must be 1 to 3, .*\(received 32\)"),
            (photos(40, 16), r"received float32 of shape \(32, 16, 16, 1\)")):
        with pytest.raises(ValueError, match=rule):
            own.fit(given)
    with pytest.raises(ValueError, match="augment must be an Augmentation or"):
        own.fit(photos(40, 32), augment=True)


def test_evaluate_and_predict_refuse_in_one_line_too(make_tiny):
    colorizer, batch = make_tiny(), random_batch(2, 32)
    grey = batch["luminance"]
    for model in (colorizer, colorizer.vae, colorizer.mdn):
        model.compile("adam")
        for data in (grey, dataset().map(lambda batch: batch["ab"])):
            with pytest.raises(ValueError, match="evaluate: data must be a tf."
                               ) as error:
                model.evaluate(data)
            assert "\n" not in str(error.value)
    for model in (colorizer, colorizer.vae):
        with pytest.raises(ValueError, match="predict: data must be a tf.dat"):
            model.predict(grey)
        assert model.predict(batch, verbose=0)["z"].shape == (2, TINY_LATENT)
    with pytest.raises(ValueError, match="predict: luminance must have shape"):
        colorizer.mdn.predict(grey[:, ::2])
    for data in (grey, batch):
        found = colorizer.mdn.predict(data, verbose=0)
        assert found["locs"].shape == (2, 4, TINY_LATENT)


@pytest.mark.parametrize("name", ["vae", "mdn", "colorizer"])
def test_terms_have_the_names_that_they_promise(name):
    batch, model = random_batch(2, 32), parts(name)
    if name == "mdn":
        batch = presets.build("regions", **TINY_REGIONS).posteriors(batch)
    terms = model.loss_terms(batch, model(batch))
    assert [*model.term_names, "loss"] == list(terms)


@pytest.mark.slow
def test_a_compiled_model_stays_compiled_in_its_file(tmp_path):
    batch, vae = random_batch(4, 32), parts("vae")
    vae.compile(keras.optimizers.Adam(1e-3))
    first = vae.train_on_batch(batch, return_dict=True)
    assert set(first) == {"loss", *vae.term_names}
    vae.save(tmp_path / "vae.keras")
    again = keras.models.load_model(tmp_path / "vae.keras")
    assert again.compiled and int(again.optimizer.iterations) == 1
    data = tf.data.Dataset.from_tensor_slices(batch).batch(3)
    found = vae.evaluate(data, verbose=0)
    np.testing.assert_allclose(again.evaluate(data, verbose=0), found)
    # The mean of a batch's pictures, however they come in batches.
    means = [float(tf.reduce_mean(values)) for values in
             vae.loss_terms(batch, vae(batch)).values()]
    np.testing.assert_allclose(found, [means[-1], *means[:-1]], rtol=1e-4)


# --- Colorizer: the joint model --------------------------------------------


def test_grey_network_is_shared_and_counted_once(tiny):
    assert tiny.shares_grey
    names = [v.path for v in tiny.trainable_variables]
    assert len(names) == len({id(v) for v in tiny.trainable_variables})


def test_joint_kl_is_log_q_minus_log_p(make_tiny, batch):
    tiny = make_tiny()
    outputs = tiny(batch, training=True)
    q = distributions.posterior(outputs["loc"], outputs["scale"])
    p = distributions.mixture(outputs["params"])
    np.testing.assert_allclose(
        tiny.loss_terms(batch, outputs)["kl"],
        q.log_prob(outputs["z"]) - p.log_prob(outputs["z"]), rtol=1e-3,
        atol=1e-2)


def test_noise_has_one_name():
    """TensorFlow keeps 36 kB for every new name of a variable."""
    first, second = (
        {part.noise_generator.state.value.name
         for part in (colorizer.vae, colorizer.mdn)}
        for colorizer in (presets.build("regions", **TINY_REGIONS)
                          for _ in range(2)))
    assert first == second


def test_units_of_the_public_tensors(tiny, batch):
    field = tiny.vae(batch)["ab_hat"]
    grey = tiny.vae.grey_encoder(color.normalize_luminance(
        batch["luminance"]))
    loc, _ = tiny.vae.posterior(batch["ab"] / 128, grey)
    np.testing.assert_allclose(
        field, 128 * tiny.vae.decoder(loc[:, None], grey)[:, 0], atol=1e-3)
