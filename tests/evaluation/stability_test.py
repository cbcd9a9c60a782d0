"""The stability of the first result, against loops and other libraries."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from skimage import color, transform

from tfdivcolor import data
from tfdivcolor.evaluation import stability
from tfdivcolor.settings import Sampling
from training import synthetic

RNG = np.random.default_rng(0)
SIDE = 16


class Tinter:
    """Colourises by what scikit-image finds of the luminance: a = b = L."""

    def __init__(self):
        self.calls = []

    def colorize(self, source, **sampling):
        self.calls.append((source, sampling))
        if isinstance(source, bytes):
            import io
            source = np.asarray(Image.open(io.BytesIO(source)))
        luminance = color.rgb2lab(source)[..., 0]
        small = transform.resize(luminance, [SIDE, SIDE], anti_aliasing=True)
        return SimpleNamespace(ab=np.stack([small, small], axis=-1)[None])


@pytest.fixture(scope="module")
def pixels():
    """A smooth photograph of 60 x 90 pixels."""
    coarse = RNG.uniform(40, 210, [4, 6, 3])
    return transform.resize(coarse, [60, 90]).astype(np.uint8)


@pytest.mark.parametrize("part", [
    (0.0, 0.0, 1.0, 1.0), (0.25, 0.125, 0.75, 0.875), (0.0, 0.4, 1.0, 0.63)])
def test_change_where_both_fields_are(part):
    before = RNG.normal(size=[SIDE, SIDE, 2])
    after = RNG.normal(size=[SIDE, SIDE, 2])
    # By many points: each belongs to a pixel of the whole and one of the part.
    points = (np.arange(800) + 0.5) / 800
    top, left, bottom, right = part
    sums, counts = np.zeros([SIDE, SIDE, 2]), np.zeros([SIDE, SIDE, 1])
    rows, columns = (points[(points > low) & (points < high)]
                     for low, high in ((top, bottom), (left, right)))
    for y in rows:
        i = int(y * SIDE)
        k = int((y - top) / (bottom - top) * SIDE)
        j = (columns * SIDE).astype(int)
        m = ((columns - left) / (right - left) * SIDE).astype(int)
        np.add.at(sums, (i, j), after[k, m])
        np.add.at(counts, (i, j), 1)
    expected = np.abs(sums - counts * before).sum() / counts.sum() / 2
    assert stability.change(before, after, part) == pytest.approx(
        expected, rel=0.02)


def test_change_of_whole_fields_is_their_mean_difference():
    before, after = RNG.normal(size=[2, SIDE, SIDE, 2])
    assert stability.change(before, after, stability.WHOLE) == pytest.approx(
        np.abs(before - after).mean())


@pytest.mark.parametrize("shape, crops", [
    # height, width -> rows, columns of 3:2 and of 1:3.
    ((60, 90), [(60, 90), (60, 20)]), ((90, 60), [(40, 60), (90, 30)]),
    ((300, 50), [(33, 50), (150, 50)])])
def test_conditions_are_sizes_and_central_parts(shape, crops):
    picture = RNG.integers(0, 256, [*shape, 3], dtype=np.uint8)
    found = {name: (changed, part) for name, changed, part in
             stability.conditions(picture, np.random.default_rng(0))}
    assert list(found) == ["256", "512", "1024", "3:2", "1:3", "grain"]
    for size in ("256", "512", "1024"):
        changed, part = found[size]
        assert max(changed.shape) == int(size) and part == (0, 0, 1, 1)
        assert changed.shape[0] / changed.shape[1] == pytest.approx(
            shape[0] / shape[1], rel=0.02)
    for name, (rows, columns) in zip(("3:2", "1:3"), crops):
        changed, (top, left, bottom, right) = found[name]
        assert changed.shape == (rows, columns, 3)
        y, x = round(top * shape[0]), round(left * shape[1])
        np.testing.assert_array_equal(
            changed, picture[y:y + rows, x:x + columns])
        assert (bottom - top) * shape[0] == pytest.approx(rows)
        assert (right - left) * shape[1] == pytest.approx(columns)
        assert abs(2 * y + rows - shape[0]) <= 1
        assert abs(2 * x + columns - shape[1]) <= 1


def test_grain_is_of_the_luminance():
    grey = np.full([50, 80, 3], 120, np.uint8)
    *_, (name, changed, _) = stability.conditions(
        grey, np.random.default_rng(0))
    lab = color.rgb2lab(changed)
    assert name == "grain" and np.ptp(changed, axis=-1).max() == 0
    assert lab[..., 0].std() == pytest.approx(4, rel=0.05)
    assert lab[..., 0].mean() == pytest.approx(
        color.rgb2lab(grey)[0, 0, 0], abs=0.3)


def test_what_follows_the_luminance_is_stable(pixels):
    found = stability.changes(
        Tinter(), pixels, Sampling(), np.random.default_rng(0))
    assert all(0 <= value < 2.5 for value in found.values()), found
    assert found["3:2"] == 0  # it is 3:2 as it is

    class Restless(Tinter):
        def colorize(self, source, **sampling):
            return SimpleNamespace(ab=np.full(
                [1, SIDE, SIDE, 2], float(len(np.asarray(source)))))

    found = stability.changes(
        Restless(), pixels, Sampling(), np.random.default_rng(0))
    assert found == {"256": 111, "512": 281, "1024": 623, "3:2": 0, "1:3": 0,
                     "grain": 0}


def test_measure_goes_through_the_files(tmp_path):
    folder = synthetic.write_folder(tmp_path / "pictures", 5)
    (folder / "bad.png").write_text("no picture")
    names = ["picture001.png", "picture004.png"]
    tinter, options = Tinter(), Sampling(3, 7, 0.25)
    found = stability.measure(tinter, str(folder), names, options, False)
    assert {len(values) for values in found.values()} == {2}
    assert len(tinter.calls) == 14
    assert tinter.calls[7][0] == (folder / names[1]).read_bytes()
    assert all(sampling == vars(options) for _, sampling in tinter.calls)
    again = stability.measure(Tinter(), str(folder), names, options, False)
    for condition, values in found.items():
        np.testing.assert_array_equal(values, again[condition])


def test_the_first_result_of_a_colorizer(tiny, tmp_path):
    folder = synthetic.write_folder(tmp_path / "pictures", 1)
    source = folder / "picture000.png"
    found = stability.measure(
        tiny, str(folder), [source.name], Sampling(2, 5), False)
    before = tiny.colorize(source, 2, 5).ab[0]
    larger = Image.open(source).resize([256, 256], Image.Resampling.LANCZOS)
    after = tiny.colorize(np.asarray(larger), 2, 5).ab[0]
    assert found["256"] == pytest.approx([np.abs(before - after).mean()])


def test_a_prepared_folder_has_no_photographs(tmp_path):
    folder = synthetic.write_folder(tmp_path / "pictures", 4)
    data.load(folder, 16, cache=tmp_path / "cache", progress=False)
    with pytest.raises(ValueError, match="must hold photographs"):
        stability.check(str(tmp_path / "cache"))
