"""The evaluation's table, JSON and figures."""

import json
import shutil

import keras
import numpy as np
import pytest

from tfdivcolor import baselines, comparison, realism
from tfdivcolor.evaluation import Measured
from tfdivcolor.settings import Sampling
from training import synthetic


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The two-sample test has tests of its own; here it need not learn."""
    monkeypatch.setattr(realism, "two_sample_auc", lambda *pictures: 0.75)


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
    shutil.copytree(folder / "weights", folder / "baselines" / "twin")
    return folder


def test_everything_in_one_table(place, monkeypatch):
    # Few training pictures here.
    monkeypatch.setattr(comparison, "COMPONENTS", 4)
    pictures = str(place / "pictures")
    text = comparison.run(
        pictures, place / "weights", subset="validation", num_seeds=2,
        hundred=3, sampling=Sampling(seed=5), train_data=pictures,
        baselines_folder=str(place / "baselines"),
        json_path=str(place / "table.json"),
        plots_folder=str(place / "plots"))
    written = json.loads((place / "table.json").read_text())
    summary = written["summary"]
    assert list(summary) == [
        "weights", "weights, samples", "weights, components", "regression",
        "twin", "copies of neighbours", "mean field",
        "4 principal components", "grey", "truth"]
    # The same model, but for the number of seeds and pictures.
    assert summary["twin"]["best_of_100"]["pictures"] == 1
    for name in ("reconstruction", "nll", "auc"):
        assert summary["weights"][name] == summary["twin"][name]
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


def test_what_was_not_run_is_said(place):
    text = comparison.run(
        str(place / "pictures"), place / "weights", limit=4, hundred=2)
    assert "floors from training pictures: not run (--train-data" in text
    assert "baselines: not run (--baselines DIR)" in text


def test_a_folder_without_baselines(place):
    with pytest.raises(ValueError, match="baselines: must be a folder with"):
        comparison.run(str(place / "pictures"), place / "weights",
                       baselines_folder=str(place / "pictures"))


def test_summary_over_pictures_and_seeds():
    rows = [Measured({"one": np.array([1.0, 2.0, 3.0]),
                      "auc": np.array([0.5])}),
            Measured({"one": np.array([3.0, 4.0, 5.0]),
                      "auc": np.array([0.7])})]
    summary = comparison.summarize(rows)
    assert summary["one"]["mean"] == 3
    assert summary["one"]["standard_error"] == pytest.approx(1 / np.sqrt(3))
    assert summary["one"]["spread"] == pytest.approx(np.sqrt(2))
    assert summary["auc"]["standard_error"] is None
    assert summary["auc"]["pictures"] == 1
    alone = comparison.summarize(rows[:1])
    assert alone["one"]["spread"] is None
