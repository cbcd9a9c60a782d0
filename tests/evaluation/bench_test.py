"""The evaluation's table, JSON and figures."""

import json
import shutil

import keras
import numpy as np
import pytest

from tfdivcolor.evaluation import Measured, baselines, bench, two_sample
from tfdivcolor.settings import Sampling
from training import synthetic


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The two-sample test has tests of its own; here it need not learn."""
    monkeypatch.setattr(two_sample, "two_sample_auc", lambda *pictures: 0.75)


@pytest.fixture(scope="module")
def place(tiny, tmp_path_factory):
    """Weights, pictures and baselines in a folder."""
    folder = tmp_path_factory.mktemp("place")
    tiny.save(folder / "weights", config={"validation_fraction": 0.25})
    synthetic.write_folder(folder / "pictures", 40)
    (folder / "pictures" / "bad.png").write_text("no picture")
    (folder / "baselines").mkdir()
    keras.utils.set_random_seed(0)
    baselines.RegressionCNN(
        canvas=32, widths=(4, 8, 8, 8), feature_channels=4).save(
            folder / "baselines" / "regression.keras")
    baselines.ConditionalVAE(
        canvas=32, widths=(4, 8, 8, 8), feature_channels=4, num_regions=4,
        latent_dim=8).save(folder / "baselines" / "cvae.keras")
    shutil.copytree(folder / "weights", folder / "baselines" / "twin")
    return folder


@pytest.mark.slow
def test_everything_in_one_table(place, monkeypatch):
    # Few training pictures here.
    monkeypatch.setattr(bench, "COMPONENTS", 4)
    pictures = str(place / "pictures")
    text = bench.run(
        pictures, place / "weights", subset="validation", num_seeds=2,
        subset_size=3, sampling=Sampling(seed=5), train_data=pictures,
        baselines_folder=str(place / "baselines"),
        json_path=str(place / "table.json"),
        plots_folder=str(place / "plots"))
    written = json.loads((place / "table.json").read_text())
    summary = written["summary"]
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
            assert f"{value['mean']:.5f}" in text
    assert summary["weights"]["one"]["spread"] > 0
    assert summary["regression"]["one"]["spread"] is None
    assert "best_of_8" not in summary["regression"]
    assert written["settings"]["seeds"] == [5, 6]
    # The weights' own split, not the default one; nothing unreadable.
    assert written["settings"]["validation_fraction"] == 0.25
    assert len(written["skipped"]) == 0
    assert "not run" not in text and "cannot be compared" in text
    names = {file.name for file in (place / "plots").iterdir()}
    assert names == {
        "error_against_k.png", "error_by_rank.png", "latent_walk.png",
        "mixture_weights.png", "sheet_best.png", "sheet_median.png",
        "sheet_worst.png"}


@pytest.mark.slow
def test_what_was_not_run_is_said(place):
    text = bench.run(
        str(place / "pictures"), place / "weights", limit=5, subset_size=2)
    assert "weighted errors: not run (--train-data PATH)" in text
    assert "baselines: not run (--baselines DIR)" in text


def test_a_folder_without_baselines(place):
    with pytest.raises(ValueError, match="baselines: must be a folder with"):
        bench.run(str(place / "pictures"), place / "weights",
                       baselines_folder=str(place / "pictures"))


@pytest.mark.parametrize("arguments, message", [
    ({"limit": 3}, "4 usable pictures or more .received 2"),
    ({"train_data": True}, "must share no picture"),
    ({"json_path": "nowhere/table.json"}, "folder that exists"),
    ({"sampling": Sampling(seed=2**63 - 1), "num_seeds": 2}, "64 bits"),
])
def test_what_cannot_be_measured_is_refused_at_once(
        place, arguments, message):
    pictures = str(place / "pictures")
    if "train_data" in arguments:
        arguments = {"train_data": pictures}
    with pytest.raises(ValueError, match=message):
        bench.run(pictures, place / "weights", **arguments)


@pytest.mark.slow
def test_names_that_clash(place, tmp_path):
    shutil.copy(place / "baselines" / "regression.keras",
                tmp_path / "grey.keras")
    with pytest.raises(ValueError, match="different names.*'grey'"):
        bench.run(str(place / "pictures"), place / "weights", limit=5,
                       subset_size=1, baselines_folder=str(tmp_path))


def test_summary_over_pictures_and_seeds():
    rows = [Measured({"one": np.array([1.0, 2.0, 3.0]),
                      "auc": np.array([0.5])}),
            Measured({"one": np.array([3.0, 4.0, 5.0]),
                      "auc": np.array([0.7])})]
    summary = bench.summarize(rows)
    assert summary["one"]["mean"] == 3
    assert summary["one"]["standard_error"] == pytest.approx(1 / np.sqrt(3))
    assert summary["one"]["spread"] == pytest.approx(np.sqrt(2))
    assert summary["auc"]["standard_error"] is None
    assert summary["auc"]["pictures"] == 1
    alone = bench.summarize(rows[:1])
    assert alone["one"]["spread"] is None
