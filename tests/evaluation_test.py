"""The evaluation table."""

import json

import numpy as np
import pytest
from conftest import random_batch

from tfdivcolor import evaluation, metrics
from tfdivcolor.photo_set import PhotoSet


@pytest.fixture(scope="module")
def photos():
    batch = random_batch(20, 32)
    lab = np.concatenate([batch["luminance"], batch["ab"]], axis=-1)
    return PhotoSet(lab.astype(np.float16), [f"p{i}" for i in range(20)], [],
                    canvas=32)


def test_rows_are_those_of_one_default_call(tiny, photos):
    values = evaluation.evaluate(tiny, photos, progress=False)
    assert set(values) == set(evaluation.ROWS)
    assert all(row.shape == (20,) for row in values.values())
    # Independently, one picture at a time.
    lab = photos.lab.astype(np.float32)
    for i in (0, 17):
        drawn = tiny.sample(lab[i:i + 1, ..., :1])["ab"].numpy() / 128
        truth = lab[i:i + 1, ..., 1:] / 128
        assert values["one"][i] == pytest.approx(
            np.abs(drawn[0, 0] - truth[0]).mean(), rel=1e-3)
        assert values["best_of_8"][i] == pytest.approx(
            metrics.error_of_best(drawn, truth, 8)[0], rel=1e-3)
        assert values["grey"][i] == pytest.approx(
            np.abs(truth).mean(), rel=1e-5)
    assert np.all(values["best_of_8"] <= values["best_of_5"])
    assert np.all(values["best_pixel_of_8"] <= values["best_of_8"])


def test_summary_and_table(tiny, photos, tmp_path, monkeypatch):
    values = {"one": np.array([1.0, 2.0, 3.0]), "grey": np.array([4.0])}
    summary = evaluation.summarize(values)
    assert summary["one"]["mean"] == 2
    assert summary["one"]["standard_error"] == pytest.approx(1 / np.sqrt(3))
    assert summary["grey"]["standard_error"] is None
    text = evaluation.table(summary)
    assert "MAE of the first result" in text and "2.00000" in text


def test_run_from_a_folder_writes_json(tiny, tmp_path):
    from training import synthetic

    tiny.save(tmp_path / "weights")
    synthetic.write_folder(tmp_path / "pictures", 12)
    (tmp_path / "pictures" / "bad.png").write_text("no picture")
    text = evaluation.run(
        str(tmp_path / "pictures"), tmp_path / "weights", limit=10,
        json_path=str(tmp_path / "table.json"))
    written = json.loads((tmp_path / "table.json").read_text())
    assert len(written["files"]) == 9 and len(written["skipped"]) == 1
    assert f"{written['summary']['one']['mean']:.5f}" in text
    assert written["settings"]["seed"] == 0
