"""The `evaluate` command's substance: tables, record and figures."""

import csv
import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image
from skimage import color
from skimage.measure import block_reduce
from tiny_baselines import build

from tfdivcolor import data
from tfdivcolor.cli import evaluate as command
from tfdivcolor.cli.common import Parser
from tfdivcolor.evaluation import (
    baselines,
    bench,
    evaluate,
    measurement,
    pictures,
    two_sample,
)
from tfdivcolor.evaluation.evaluate import Request
from tfdivcolor.settings import Sampling
from training import synthetic


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The two-sample test has tests of its own; here it need not learn.

    And there are few training pictures.
    """
    monkeypatch.setattr(two_sample, "two_sample_auc", lambda *pictures: 0.75)
    monkeypatch.setattr(bench, "COMPONENTS", 4)


@pytest.fixture(scope="module")
def place(tiny, tiny_photos, tmp_path_factory):
    """Weights, pictures and baselines in a folder."""
    folder = tmp_path_factory.mktemp("place")
    tiny.save(folder / "weights", config={"validation_fraction": 0.25})
    tiny_photos.save(folder / "photos")
    synthetic.write_folder(folder / "pictures", 40)
    (folder / "pictures" / "bad.png").write_text("no picture")
    (folder / "baselines").mkdir()
    build("regression").save(folder / "baselines" / "regression.keras")
    build("cvae").save(folder / "baselines" / "cvae.keras")
    shutil.copytree(folder / "weights", folder / "baselines" / "twin")
    for kind, count in (("discs", 6), ("more", 4)):
        synthetic.write_folder(folder / kind, count, size=40 + count)
    shutil.copy(folder / "pictures" / "bad.png", folder / "discs")
    return folder


# --- By method -------------------------------------------------------------


@pytest.mark.slow
def test_everything_in_one_table(place):
    data_folder = str(place / "pictures")
    text = evaluate.run(Request(
        data_folder, place / "weights", subset="validation", num_seeds=2,
        subset_size=3, sampling=Sampling(seed=5), training=data_folder,
        baselines=str(place / "baselines"), json=str(place / "table.json"),
        plots=str(place / "plots")))
    written = json.loads((place / "table.json").read_text())
    found = written["sets"]["pictures"]
    summary = found["summary"]
    assert list(summary) == [
        "weights", "weights, samples", "weights, components", "cvae",
        "cvae, clustered", "regression", "twin, components",
        "copies of neighbours", "mean field",
        "4 principal components", "grey", "truth"]
    # The same model.
    twin = summary["twin, components"]
    for name in ("one", "best_of_8"):
        assert summary["weights, components"].get(name) == twin.get(name)
    assert summary["weights"]["reconstruction"] == twin["reconstruction"]
    for label, row in summary.items():
        assert label in text
        for value in row.values():
            written_so = f"{value['mean']:.5f}".replace("-0.", "-.")
            assert written_so.removeprefix("0") in text
    assert summary["weights"]["one"]["spread"] > 0
    assert summary["regression"]["one"]["spread"] is None
    assert "best_of_8" not in summary["regression"]
    assert written["settings"]["seeds"] == [5, 6]
    # The weights' own split, not the default one; nothing unreadable.
    assert written["settings"]["validation_fraction"] == 0.25
    assert len(found["skipped"]) == 0
    assert "not run" not in text and "Do not compare" in text
    names = {file.name for file in (place / "plots").iterdir()}
    assert names == {
        "error_against_k.png", "error_by_rank.png", "latent_walk.png",
        "mixture_weights.png", "shares.png", "sheet_best.png",
        "sheet_median.png", "sheet_worst.png"}


@pytest.mark.slow
def test_weights_that_see_more_than_the_canvas(place, tmp_path):
    text = evaluate.run(Request(
        str(place / "pictures"), place / "photos", limit=5, subset_size=2,
        others=[place / "weights"], plots=tmp_path))
    for label in ("photos, samples", "photos, components", "weights"):
        assert f"\n{label} " in text
    assert "weighted errors: not run (--train-data PATH)" in text
    assert "baselines: not run (--baselines DIR)" in text
    assert (tmp_path / "sheet_worst.png").is_file()


def test_a_folder_without_baselines(place):
    with pytest.raises(ValueError, match="baselines: must be a folder with"):
        evaluate.run(Request(
            str(place / "pictures"), place / "weights",
            baselines=str(place / "pictures")))


@pytest.mark.parametrize("arguments, message", [
    ({"limit": 3}, "4 usable pictures or more .received 2"),
    ({"training": True}, "must share no picture"),
    ({"json": "nowhere/table.json"}, "folder that exists"),
    ({"markdown": "nowhere/table.md"}, "folder that exists"),
    ({"stability": True}, "named sets"),
    ({"sampling": Sampling(seed=2**63 - 1), "num_seeds": 2}, "64 bits"),
])
def test_what_cannot_be_measured_is_refused_at_once(
        place, arguments, message):
    folder = str(place / "pictures")
    if "training" in arguments:
        arguments = {"training": folder}
    with pytest.raises(ValueError, match=message):
        evaluate.run(Request(folder, place / "weights", **arguments))


def test_other_canvases_are_refused(place, tmp_path):
    keras.utils.set_random_seed(0)
    baselines.RegressionCNN(
        canvas=16, widths=(4, 8, 8, 8), feature_channels=4).save(
            tmp_path / "small.keras")
    with pytest.raises(ValueError, match="small: canvas must be 32.*16"):
        evaluate.run(Request(str(place / "pictures"), place / "weights",
                             baselines=str(tmp_path)))


@pytest.mark.slow
def test_names_that_clash(place, tmp_path):
    shutil.copy(place / "baselines" / "regression.keras",
                tmp_path / "grey.keras")
    with pytest.raises(ValueError, match="different names.*'grey'"):
        evaluate.run(Request(
            str(place / "pictures"), place / "weights", limit=5,
            subset_size=1, baselines=str(tmp_path)))


# --- By kind ---------------------------------------------------------------


@pytest.fixture(scope="module")
def by_kind(place):
    """What was written and printed of two kinds."""
    folder = place / "written"
    folder.mkdir()
    rivals = place / "rivals"
    rivals.mkdir()
    shutil.copy(place / "baselines" / "regression.keras", rivals)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "COMPONENTS", 4)
        text = evaluate.run(Request(
            {kind: str(place / kind) for kind in ("discs", "more")},
            place / "photos", [place / "baselines" / "twin"], str(rivals),
            str(place / "pictures"), 20, subset_size=3,
            sampling=Sampling(seed=5), stability=True,
            json=folder / "table.json", csv=folder / "table.csv",
            markdown=folder / "table.md", plots=folder / "plots"))
    return folder, text


def test_a_row_a_kind_in_every_format(by_kind):
    folder, text = by_kind
    with open(folder / "table.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows] == ["discs", "more"]
    assert [row["n"] for row in rows] == ["6", "4"]
    assert [row["left out unreadable"] for row in rows] == ["1", "0"]
    assert list(rows[0])[4:8] == [
        "grey", "mean field", "copies of neighbours first",
        "copies of neighbours best"]
    assert {"regression", "twin pixel", "photos best"} < set(rows[0])
    markdown = (folder / "table.md").read_text()
    for column in ("photos", "twin", "copies of neighbours", "regression"):
        assert column in text and column in markdown
    for row in rows:
        assert row["256"] and row["grain"]
        assert f"{float(row['photos first']):.4f}"[1:] in text
        assert f"{float(row['photos first']):.4f}"[1:] in markdown
    record = json.loads((folder / "table.json").read_text())
    assert record["weights"]["name"] == "photos" and set(
        record["others"]) == {"twin"}
    assert record["training"]["pictures"] == 20
    assert record["settings"]["luminance_size"] == 64
    assert record["date"] and record["hardware"]["cores"] > 0
    assert record["sets"]["discs"]["skipped"][0][0] == "bad.png"
    assert len(record["sets"]["discs"]["files"]) == 6
    assert (folder / "plots" / "shares.png").is_file()


def test_the_numbers_by_hand(by_kind, place, tiny, tiny_photos):
    folder, _ = by_kind
    record = json.loads((folder / "table.json").read_text())["sets"]["more"]
    photos = pictures.load(place / "more", 32, 64)
    luminance = photos.lab[..., :1].astype(np.float32)
    small = block_reduce(luminance, (1, 2, 2, 1), np.mean)
    truth = block_reduce(
        photos.lab[..., 1:].astype(np.float32), (1, 2, 2, 1), np.mean)
    for label, model, seen in (("photos", tiny_photos, luminance),
                               ("twin", tiny, small)):
        ab = model.sample(seen, 8, seed=5)["ab"].numpy()
        errors = np.abs(ab - truth[:, None]).mean(axis=(2, 3, 4)) / 128
        pixel = np.abs(ab - truth[:, None]).min(axis=1).mean() / 128
        row = record["summary"][label]
        for name, value in (
                ("one", errors[:, 0].mean()),
                ("best_of_8", errors.min(axis=1).mean()),
                ("pixel_of_8", pixel),
                ("chroma", np.hypot(ab[..., 0], ab[..., 1]).mean() / 128)):
            assert row[name]["mean"] == pytest.approx(value, rel=2e-2), name
    assert record["summary"]["grey"]["one"]["mean"] == pytest.approx(
        np.abs(truth).mean() / 128, rel=1e-3)
    # Lab of scikit-image, of whole pictures of 44 pixels a side.
    lab = [color.rgb2lab(synthetic.picture(i, 44)) for i in range(4)]
    assert record["summary"]["truth"]["chroma"]["mean"] == pytest.approx(
        np.mean([np.hypot(one[..., 1], one[..., 2]).mean()
                 for one in lab]) / 128, rel=0.03)
    train = pictures.at_canvas(data.load(
        place / "pictures", 32, subset="train", progress=False), 20)
    field = train.lab[..., 1:].astype(np.float64).mean(axis=0)
    assert record["summary"]["mean field"]["one"]["mean"] == pytest.approx(
        np.abs(truth - field).mean() / 128, rel=1e-2)


def test_shares_of_all_kinds_together(by_kind):
    folder, _ = by_kind
    record = json.loads((folder / "table.json").read_text())
    for rank in range(8):
        kinds = [record["sets"][kind]["shares"]["ranks"][rank]
                 for kind in ("discs", "more")]
        together = record["shares"]["ranks"][rank]
        assert together["results"] == 10
        for name in ("promised", "kept"):
            assert together[name] == pytest.approx(
                0.6 * kinds[0][name] + 0.4 * kinds[1][name])
    assert sum(row["promised"] for row in record["shares"]["ranks"]
               ) == pytest.approx(1)
    assert sum(row["kept"] for row in record["shares"]["ranks"]
               ) == pytest.approx(1)


def test_stability_is_of_the_subset(by_kind, place, tiny_photos):
    folder, _ = by_kind
    record = json.loads((folder / "table.json").read_text())["sets"]
    for kind, chosen in (("discs", (0, 2, 5)), ("more", (0, 1, 3))):
        moved = record[kind]["stability"]
        assert moved["3:2"]["pictures"] == 3
        expected = []
        for i in chosen:
            pixels = synthetic.picture(i, 46 if kind == "discs" else 44)
            side = len(pixels)
            rows = round(side / 1.5)
            top = (side - rows) // 2
            whole = tiny_photos.colorize(pixels, seed=5).ab[0]
            part = tiny_photos.colorize(
                pixels[top:top + rows], seed=5).ab[0]
            # A smooth look at both, where they overlap.
            y = (np.arange(2000) + 0.5) / 2000
            inside = y[(y > top / side) & (y < (top + rows) / side)]
            row = (inside * 32).astype(int)
            other = ((inside - top / side) * side / rows * 32).astype(int)
            sums, counts = np.zeros([32, 32, 2]), np.zeros([32, 1, 1])
            np.add.at(sums, row, part[other])
            np.add.at(counts, row, 1)
            expected.append(np.abs(
                sums - counts * whole).sum() / counts.sum() / 64)
        assert moved["3:2"]["mean"] == pytest.approx(
            np.mean(expected), rel=0.05)


def test_a_kind_without_colours_is_refused_before_measuring(
        place, tmp_path, monkeypatch):
    for i in range(4):
        Image.new("L", (40, 40), 50 * i).save(tmp_path / f"{i}.png")
    monkeypatch.setattr(measurement, "measure", None)
    with pytest.raises(ValueError, match="no usable pictures.*4 grey"):
        evaluate.run(Request({"discs": str(place / "discs"),
                              "old": str(tmp_path)}, place / "weights"))


# --- The command line ------------------------------------------------------


def parsed(*arguments):
    parser = Parser()
    command.add(parser.add_subparsers())
    return parser.parse_args(["evaluate", *arguments])


def test_the_commands_defaults_are_the_requests():
    options, request = parsed("x"), Request("x")
    assert options.train_limit == request.training_limit
    assert options.subset_size == request.subset_size
    assert options.seeds == request.num_seeds


@pytest.mark.parametrize("arguments, sets", [
    (["a/b"], "a/b"), (["--data", "a=b"], "a=b"),
    (["kodak=a/b"], {"kodak": "a/b"}),
    (["x=a=b", "two words=c.tgz"], {"x": "a=b", "two words": "c.tgz"}),
])
def test_sets_have_names_or_there_is_one(arguments, sets):
    assert command._sets(parsed(*arguments)) == sets


@pytest.mark.parametrize("arguments, message", [
    ([], "no --data"), (["a", "b"], "received a b"),
    (["a", "x=b"], "one or more NAME=PATH"), (["x=a", "x=b"], "different"),
    (["x=a", "--data", "b"], "received x=a b"),
])
def test_sets_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        command._sets(parsed(*arguments))
