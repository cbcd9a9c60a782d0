"""Figures: that they are files, the same ones again, and draw the truth."""

import types

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings as hypothesis_settings, strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from skimage import color as skcolor
from tiny import TINY_LATENT

from tfdivcolor import images, plots, presets
from tfdivcolor.evaluation import figures, metrics
from tfdivcolor.plots import charts, training_curves

RNG = np.random.default_rng(0)
ERRORS = {"lfw": RNG.uniform(0.02, 0.1, (30, 8)),
          "cvae": RNG.uniform(0.05, 0.1, (20, 8))}
WEIGHTS = RNG.dirichlet(np.ones(5), 40)
TRUTH = RNG.normal(0, 20, (2, 16, 16, 2))
RESULTS = RNG.normal(0, 20, (2, 3, 16, 16, 2))
LUMINANCE = RNG.uniform(20, 80, (2, 16, 16, 1))
CAPTIONS = [["best", ".01", ".02", ".03"], ["worst", ".04", ".05", ".06"]]


def record(stage, kind, step, **values):
    return {"time": 1.5, "stage": stage, "kind": kind, "step": step,
            "pictures_per_second": 100.0, **values}


def calibration(count):
    share = RNG.dirichlet([4, 2, 1], count)
    return metrics.share_calibration(share, RNG.integers(0, 3, count))


HISTORY = [
    *(record("0-vae", "train", step, l2=100 / step, loss=200 / step,
             learning_rate=1e-3) for step in range(10, 101, 10)),
    record("0-vae", "validation", 100, l2=2.0, loss=3.0),
    *(record("1-mdn", "train", step, mdn_nll=-step, loss=-step,
             learning_rate=1e-4) for step in range(10, 51, 10)),
    record("1-mdn", "validation", 50, mdn_nll=-40.0, loss=-40.0),
]

CALLS = {
    "picture_sheet": (LUMINANCE, TRUTH, RESULTS, CAPTIONS),
    "error_by_rank": (ERRORS,),
    "error_against_k": (ERRORS, {"grey": 0.076, "mean field": 0.062}),
    "mixture_weights": (WEIGHTS,),
    "share_calibration": (calibration(80), {
        "kodak": calibration(30), "faces": calibration(50)}),
    "training_curves": (HISTORY,),
}


def function(name):
    return getattr(
        training_curves if name == "training_curves" else figures, name)


@pytest.fixture
def drawn(monkeypatch):
    """Calls a function and returns its Figure, not saved."""
    saved = []
    for module in (plots, charts):
        monkeypatch.setattr(
            module, "save", lambda figure, path: saved.append(figure))

    def draw(name, *arguments):
        function(name)(*arguments, "unused.png")
        return saved.pop()
    return draw


def lines(axes):
    """The named lines of axes: dict from label to (x, y)."""
    handles, labels = axes.get_legend_handles_labels()
    named = zip(labels, handles)
    return {label: getattr(handle, "lines", [handle])[0].get_data()
            for label, handle in named if not hasattr(handle, "get_paths")}


# --- Files -----------------------------------------------------------------

@pytest.mark.parametrize("name", CALLS)
def test_the_same_call_gives_the_same_png(tmp_path, name):
    for file in ("one.png", "two.png"):
        function(name)(*CALLS[name], tmp_path / file)
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.format == "PNG"
        assert all(300 <= side <= 2500 for side in picture.size)
        # Something is drawn.
        assert np.ptp(np.asarray(picture.convert("L"))) > 100
    assert ((tmp_path / "one.png").read_bytes()
            == (tmp_path / "two.png").read_bytes())
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(images.ImageError, match="No such file"):
        figures.mixture_weights(WEIGHTS, tmp_path / "none" / "figure.png")


# Sizes that are not whole again after a division and product by 100.
@pytest.mark.parametrize("width", [113, 115, 201])
def test_table_shows_large_pictures_pixel_by_pixel(tmp_path, width):
    rows = RNG.integers(0, 256, (1, 2, 130, width, 3), np.uint8)
    plots.save(plots.table(rows, ["a", "b"], ["c"]), tmp_path / "table.png")
    sheet = np.asarray(Image.open(tmp_path / "table.png").convert("RGB"))
    assert sheet.shape[1] == 2 * 8 + 2 * width + 4
    top = sheet.shape[0] - 8 - 130
    for left, tile in zip((8, 12 + width), rows[0]):
        np.testing.assert_array_equal(
            sheet[top:top + 130, left:left + width], tile)


# --- Pictures --------------------------------------------------------------

def test_picture_sheet_shows_grey_truth_and_results(drawn):
    # Plain ones, within the sRGB gamut: enlarging leaves them alone.
    luminance = np.full((1, 16, 16, 1), 60.0)
    ab = np.array([[10.0, 30.0], [-20.0, 5.0], [25.0, -15.0]])
    fields = np.ones((1, 3, 16, 16, 2)) * ab[:, None, None]
    figure = drawn("picture_sheet", luminance, fields[:, 0], fields[:, 1:],
                   [["median, .012", ".01", ".02"]])
    expected = skcolor.lab2rgb([[60, 0, 0], *([60, *one] for one in ab)])
    assert len(figure.axes) == 4
    for axes, rgb in zip(figure.axes, expected):
        pixels = axes.images[0].get_array()
        assert pixels.shape == (128, 128, 3)
        assert np.abs(pixels - 255 * rgb).max() <= 1
    texts = {text.get_text() for text in figure.texts}
    assert {"grey", "truth", "1", "2", "median, .012", ".01", ".02"} <= texts


class LinearColorizer:
    """P(z | G) = N(LOC, diag(SCALE)^2); z[d] SENSITIVITY[d] is row d's a."""

    LOC = np.array([0.1, -0.2, 0.3, 0.0], np.float32)
    SCALE = np.array([1.0, 3.0, 0.5, 1.0], np.float32)
    # Standard deviations of the rows: 0.1, 0.03, 0.2, 0.
    SENSITIVITY = np.array([0.1, 0.01, 0.4, 0.0], np.float32)
    canvas = luminance_size = latent_dim = 4

    def __init__(self):
        self.vae = types.SimpleNamespace(
            grey_encoder=lambda luminance_norm: None, decode=self.decode,
            decoder=types.SimpleNamespace(
                sensitivity=lambda grey: tf.constant(self.SENSITIVITY[None])))

    def mdn(self, luminance):
        return {"mixture_logits": tf.zeros([1, 1]),
                "locs": tf.constant(self.LOC[None, None]),
                "scales": tf.constant(self.SCALE[None, None])}

    def decode(self, z, luminance):
        self.z = z.numpy()
        rows = 128 * self.z * self.SENSITIVITY  # [B, S, 4]
        a = np.repeat(rows[..., None, None], 4, axis=3)
        return tf.constant(np.concatenate([a, np.zeros_like(a)], axis=-1))


def test_latent_walk_follows_the_principal_directions(drawn):
    colorizer = LinearColorizer()
    figure = drawn_walk(drawn, colorizer)
    z = colorizer.z.reshape(4, 5, 4)
    # A mean of 1,024 draws.
    np.testing.assert_allclose(z[0, 2], LinearColorizer.LOC, atol=0.4)
    np.testing.assert_allclose(z[:, 2], z[[0] * 4, 2], atol=1e-6)
    # By how far they move the field: dimensions 2, 0 and 1.
    for row, dimension in zip(z, (2, 0, 1)):
        steps = np.diff(row, axis=0)
        np.testing.assert_allclose(steps, steps[[0] * 4], atol=1e-5)
        moved = steps[0] * colorizer.SENSITIVITY
        deviation = (colorizer.SCALE * colorizer.SENSITIVITY)[dimension]
        assert abs(np.linalg.norm(moved) / deviation - 1) < 0.1
        assert moved[dimension] > 0.95 * deviation
    headings = [text.get_text() for text in figure.texts
                if "direction" in text.get_text()]
    shares = [float(text.split(": ")[1].split("%")[0]) for text in headings]
    variances = np.array([0.2, 0.1, 0.03, 0.0]) ** 2
    np.testing.assert_allclose(
        shares, 100 * variances / variances.sum(), atol=3)
    # From -2 to 2 standard deviations of 0.2.
    assert 0.72 < float(headings[0].split("up to ")[1].split(" ")[0]) < 0.88


def drawn_walk(drawn, colorizer):
    luminance = np.full((4, 4, 1), 50.0)
    # The path comes before what is optional.
    return drawn("latent_walk", colorizer, luminance)


def test_latent_walk_maps_where_it_changes(drawn):
    figure = drawn_walk(drawn, LinearColorizer())
    pictures = [axes.images[0].get_array() for axes in figure.axes]
    assert len(pictures) == 4 * 6
    # Direction 1 is row 2 of the field: its map is bright there alone.
    brightness = pictures[5].mean(axis=(1, 2)).reshape(4, 32)[:, 8:24]
    assert brightness.mean(axis=1).argmax() == 2
    assert brightness[2].mean() > 2 * brightness[0].mean()
    # The mean is the same picture in every row.
    np.testing.assert_array_equal(pictures[2], pictures[8])


@pytest.mark.parametrize("preset", ["regions", "photos", "paper"])
def test_latent_walk_of_a_colorizer_is_repeatable(tmp_path, preset, request):
    if preset == "paper":
        colorizer = presets.build("paper", canvas=16, latent_dim=4)
    else:
        colorizer = request.getfixturevalue(
            "tiny" if preset == "regions" else "tiny_photos")
    side = colorizer.luminance_size
    luminance = np.linspace(0, 100, side * side).reshape(1, side, side, 1)
    written = []
    for file, seed in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        figures.latent_walk(
            colorizer, luminance, tmp_path / file, num_directions=2, seed=seed)
        written.append((tmp_path / file).read_bytes())
    assert written[0] == written[1] != written[2]


# --- Charts ----------------------------------------------------------------

def test_error_by_rank_draws_means_and_shares_of_the_best(drawn):
    figure = drawn("error_by_rank", ERRORS)
    left, right = figure.axes
    for label, errors in ERRORS.items():
        best = np.zeros(8)
        for row in errors:
            best[list(row).index(min(row))] += 1 / len(errors)
        np.testing.assert_allclose(lines(left)[label][1], errors.mean(axis=0))
        np.testing.assert_allclose(lines(right)[label][1], best)
        ranks = lines(left)[label][0]
        np.testing.assert_array_equal(np.round(ranks), np.arange(1, 9))
    np.testing.assert_allclose(lines(right)["random order"][1], 1 / 8)
    # The first method's error bars: one standard error up and down.
    bars = left.containers[0].lines[2][0].get_segments()
    errors = ERRORS["lfw"]
    np.testing.assert_allclose(
        [bar[1, 1] - bar[0, 1] for bar in bars],
        2 * errors.std(axis=0, ddof=1) / np.sqrt(len(errors)))


def test_equally_good_results_share_a_picture(drawn):
    # All equal; and the second and third as good as each other.
    errors = {"mean": np.array([[0.1, 0.1, 0.1], [0.3, 0.2, 0.2]])}
    _, right = drawn("error_by_rank", errors).axes
    np.testing.assert_allclose(
        lines(right)["mean"][1], [1 / 6, 5 / 12, 5 / 12])


def test_one_picture_has_no_spread(drawn):
    left, _ = drawn("error_by_rank", {"one": np.array([[0.1, 0.2]])}).axes
    np.testing.assert_allclose(lines(left)["one"][1], [0.1, 0.2])


@hypothesis_settings(deadline=None, max_examples=10)
@given(hnp.arrays(float, st.tuples(st.integers(1, 4), st.integers(1, 101)),
                  elements=st.floats(0.01, 0.2)))
def test_error_against_k_is_the_mean_of_the_best(errors):
    saved = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "save", lambda figure, path: saved.append(figure))
        figures.error_against_k({"method": errors}, {}, "unused.png")
    k, best = lines(saved[0].axes[0])["method"]
    expected = [np.mean([row[:n].min() for row in errors]) for n in k]
    np.testing.assert_array_equal(k, np.arange(1, errors.shape[1] + 1))
    np.testing.assert_allclose(best, expected)


def test_floors_are_lines_whose_labels_keep_apart(drawn):
    floors = {"grey": 0.076, "mean field": 0.0612, "PCA": 0.0611,
              "neighbours": 0.061}
    axes, = drawn("error_against_k", ERRORS, floors).axes
    heights = [line.get_ydata()[0] for line in axes.lines[len(ERRORS):]]
    assert heights == list(floors.values())
    low, high = axes.get_ylim()
    texts = sorted(axes.texts, key=lambda text: text.get_position()[1])
    assert [text.get_text() for text in texts] == [
        "neighbours  0.061", "PCA  0.061", "mean field  0.061", "grey  0.076"]
    places = np.array([text.get_position()[1] for text in texts])
    assert (np.diff(places) > 0.0499 * (high - low)).all()
    # The middle one of three stays, one far from others too.
    np.testing.assert_allclose(places[[1, 3]], [0.0611, 0.076], atol=1e-4)


def test_mixture_weights_draws_order_and_effective_number(drawn):
    weights = np.array([[0.25, 0.25, 0.25, 0.25], [0, 1, 0, 0],
                        [0.5, 0, 0, 0.5]])
    left, right = drawn("mixture_weights", weights).axes
    np.testing.assert_allclose(
        lines(left)["mean"][1], [1.75 / 3, 0.75 / 3, 0.25 / 3, 0.25 / 3])
    np.testing.assert_allclose(lines(left)["equal weights"][1], 0.25)
    counted = {bar.get_x() + bar.get_width() / 2: bar.get_height()
               for bar in right.patches if bar.get_height()}
    np.testing.assert_allclose(sorted(counted), [1, 2, 4], atol=0.1)
    assert list(counted.values()) == [1, 1, 1]
    np.testing.assert_allclose(right.lines[0].get_xdata(), 7 / 3)


def test_share_calibration_draws_promised_and_kept(drawn):
    share = np.array([[0.7, 0.3], [0.9, 0.1], [0.5, 0.5], [0.75, 0.25]])
    nearest = np.array([0, 0, 1, 1])
    one = metrics.share_calibration(share, nearest)
    left, right = drawn("share_calibration", one, {"kodak": one}).axes
    assert [bar.get_height() for bar in left.patches] == pytest.approx(
        [0.7125, 0.2875])
    [_, points] = left.containers
    _, kept = points.lines[0].get_data()
    np.testing.assert_allclose(kept, [0.5, 0.5])
    # Shares of .1 to .2, .2 to .4, .4 to .6, and above; below .1 none.
    promised, kept = lines(right)["kodak"]
    np.testing.assert_allclose(
        promised, [0.1, 0.275, 0.5, (0.7 + 0.9 + 0.75) / 3])
    np.testing.assert_allclose(kept, [0, 0.5, 0.5, 2 / 3])


@pytest.mark.parametrize("count", [1, 3, 7, 8, 10])
def test_every_picture_is_counted(drawn, count):
    even, single = np.full(count, 1 / count), np.eye(count)[0]
    _, right = drawn("mixture_weights", np.float32([even, single])).axes
    assert sum(bar.get_height() for bar in right.patches) == 2


def test_training_curves_puts_stages_one_after_the_other(drawn):
    panels = drawn("training_curves", HISTORY).axes
    assert [axes.get_title(loc="left") for axes in panels] == [
        "loss", "l2, (ab / 128)\N{SUPERSCRIPT TWO}", "mdn nll, nats",
        "learning rate"]
    first, validated, second = [
        line.get_data() for line in panels[0].lines
        if line.get_label() in ("training", "validation")][:3]
    np.testing.assert_array_equal(first[0], range(10, 101, 10))
    np.testing.assert_allclose(first[1], 200 / first[0])
    np.testing.assert_array_equal(validated, [[100], [3.0]])
    np.testing.assert_array_equal(second[0], range(110, 151, 10))
    np.testing.assert_array_equal(second[1], range(-10, -51, -10))
    assert [text.get_text() for text in panels[0].texts] == ["0-vae", "1-mdn"]


def test_a_resumed_run_counts_its_steps_once(drawn):
    history = [record("0-joint", "train", step, loss=float(step))
               for step in (20, 40, 60)]
    # Stopped after a checkpoint at step 30.
    history += [record("0-joint", "train", step, loss=step + 0.5)
                for step in (40, 60, 80)]
    axes, = drawn("training_curves", history).axes
    x, y = axes.lines[0].get_data()
    np.testing.assert_array_equal(x, [20, 40, 60, 80])
    np.testing.assert_array_equal(y, [20, 40.5, 60.5, 80.5])
    assert not axes.texts  # one stage needs no name


def test_the_steep_start_does_not_scale_the_curves(drawn):
    history = [record("0-joint", "train", step, loss=1000.0 / step)
               for step in range(1, 101)]
    axes, = drawn("training_curves", history).axes
    assert 1000 / 5 < axes.get_ylim()[1] < 220


def test_methods_keep_their_style():
    one = plots.styles(["lfw", "lfw, samples", "cvae", "paper_skip"])
    other = plots.styles(["flowers", "regression", "CVAE", "samples"])
    assert one["lfw"] == other["flowers"]
    assert one["cvae"] == other["CVAE"]
    assert one["lfw, samples"] == other["samples"]
    many = plots.styles([f"{i} samples" for i in range(20)])
    assert len({tuple(style.values()) for style in many.values()}) == 20


# --- What is refused -------------------------------------------------------

@pytest.mark.parametrize("name, arguments, message", [
    ("picture_sheet", (LUMINANCE[..., 0], TRUTH, RESULTS, CAPTIONS),
     r"\[R, S, c, c, 2\] \(received \(2, 16, 16\)"),
    ("picture_sheet", (LUMINANCE, TRUTH[:1], RESULTS, CAPTIONS),
     r"truth.*\(1, 16, 16, 2\)"),
    ("picture_sheet", (LUMINANCE, TRUTH, RESULTS, CAPTIONS[:1]),
     r"captions must be 2 sequences of 4 texts \(received .*\[4\]"),
    ("error_by_rank", ({},), "one method or more"),
    ("error_by_rank", ({"lfw": np.ones(8)},), r"'lfw'.*\[N, S\].*\(8,\)"),
    ("error_against_k", ({"lfw": np.ones((0, 8))}, {}), r"\(0, 8\)"),
    ("error_against_k", ({"lfw": [[np.nan, 1.0]]}, {}), "1 not finite"),
    ("error_against_k", (ERRORS, {"grey": np.inf}), "'grey'.*inf"),
    ("mixture_weights", (WEIGHTS[0],), r"\[N, K\] \(received \(5,\)"),
    ("mixture_weights", (2 * WEIGHTS,), "sum 1.*sums 2"),
    ("mixture_weights", ([[1.5, -0.5]],), "values from -0.5"),
    ("mixture_weights", ([[np.nan, 1.0]],), "values from nan"),
    ("training_curves", ([],), "received no values"),
    ("training_curves", ([record("0-vae", "train", 1)],), "received no values"),
    ("training_curves", ([{"loss": 1.0}],), "stage, kind.*'loss'"),
    ("latent_walk", (LinearColorizer(), np.ones((1, 8, 8, 1))),
     r"luminance.*\(1, 8, 8, 1\)"),
    ("latent_walk", (LinearColorizer(), np.ones((2, 4, 4, 1))),
     "one picture.*2"),
])
def test_wrong_input_is_one_clear_line(tmp_path, name, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        function(name)(*arguments, tmp_path / "figure.png")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [0, TINY_LATENT + 1])
def test_directions_are_those_of_the_latent(tmp_path, tiny, count):
    with pytest.raises(ValueError, match=f"1 to {TINY_LATENT}.*{count}"):
        figures.latent_walk(tiny, np.ones((32, 32, 1)),
                            tmp_path / "walk.png", num_directions=count)
