"""The recipe of `photos`: from folders of photographs to weights."""

import io
import json

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from tiny import TINY_PHOTOS

import tfdivcolor as tdc
from tfdivcolor import data
from training import synthetic, write_tfrecords
from training.train import main

SMALL = ["batch_size=4", "warmup_steps=2", "validation_fraction=0.2",
         "ema_momentum=0.9",
         f"preset_options={json.dumps(TINY_PHOTOS)}"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return synthetic.write_folder(
        tmp_path_factory.mktemp("pictures"), count=30)


@pytest.fixture(scope="module")
def shards(pictures, tmp_path_factory):
    prefix = tmp_path_factory.mktemp("shards") / "photos"
    assert write_tfrecords.main(
        [f"many={pictures}", f"few={pictures / '..' / pictures.name}",
         "--out", str(prefix), "--size", "64", "--shards", "2"]) == 0
    return f"{prefix}-*.tfrecord"


def trained(source, workdir, *settings):
    assert main(["--config", "photos", "--data", str(source), "--workdir",
                 str(workdir), "--set", *SMALL, *settings]) == 0
    return tdc.load(workdir / "model")


@pytest.mark.slow
def test_from_a_folder_in_one_command(pictures, tmp_path):
    colorizer = trained(pictures, tmp_path / "run", "joint.epochs=0.3",
                        "mdn.epochs=0.2")
    assert colorizer.luminance_size == 2 * colorizer.canvas
    # Decoded once, and mapped.
    assert list((tmp_path / "run" / "fields").glob("*.npy"))
    result = colorizer.colorize(next(pictures.glob("*.png")), num_samples=2)
    assert result.image(0).shape[-1] == 3


@pytest.mark.slow
def test_from_shards_of_two_sources_in_bfloat16(shards, tmp_path):
    colorizer = trained(shards, tmp_path / "run", "joint.epochs=0.5",
                        "mdn.epochs=0.2", "precision=mixed_bfloat16")
    # The weights themselves are float32, and so is what is loaded.
    assert {weight.dtype for weight in colorizer.trainable_variables} == {
        "float32"}
    log = [json.loads(line) for line in
           (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all(np.isfinite(line["loss"]) for line in log)


def test_shards_hold_small_squares_of_what_has_colours(
        pictures, tmp_path, capsys):
    folder = tmp_path / "mixed"
    folder.mkdir()
    ramp = np.linspace(0, 255, 90 * 60).astype(np.uint8).reshape(60, 90)
    PIL.Image.fromarray(ramp).convert("RGB").save(folder / "grey.png")
    sepia = np.stack([ramp, ramp * 0.85, ramp * 0.6], -1).astype(np.uint8)
    PIL.Image.fromarray(sepia).save(folder / "sepia.png")
    rng = np.random.default_rng(0)
    coloured = np.kron(rng.integers(0, 255, (4, 6, 3)),
                       np.ones((15, 15, 1))).astype(np.uint8)
    PIL.Image.fromarray(coloured).save(folder / "coloured.png")
    (folder / "broken.png").write_bytes(b"no picture")
    assert write_tfrecords.main(
        [str(folder), "--out", str(tmp_path / "small"), "--size", "48",
         "--shards", "1"]) == 0
    said = capsys.readouterr()
    assert "wrote 1 pictures" in said.out and "skipped 3" in said.out
    for name, why in (("grey.png", "grey"), ("sepia.png", "toned"),
                      ("broken.png", "image")):
        assert any(name in line and why in line
                   for line in said.err.splitlines())
    record, = tf.data.TFRecordDataset(
        str(tmp_path / "small-00000-of-00001.tfrecord"))
    features = tf.train.Example.FromString(record.numpy()).features.feature
    picture = PIL.Image.open(io.BytesIO(
        features["image/encoded"].bytes_list.value[0]))
    assert picture.size == (48, 48)
    expected = PIL.Image.fromarray(coloured).resize((48, 48))
    difference = np.abs(np.asarray(picture, float) - np.asarray(expected))
    assert difference.mean() < 25  # chroma at half size blurs the blocks


def test_pictures_on_demand_are_those_decoded_before(shards):
    options = {"canvas": 32, "luminance_size": 64, "squash": True,
               "progress": False}
    ahead = data.load(shards, **options)
    later = data.load(shards, **options, on_demand=True)
    assert ahead.names == later.names
    one, other = (next(iter(photos.batches(6, seed=1)))
                  for photos in (ahead, later))
    # Resized in Lab there, in sRGB here.
    for name in ("luminance", "ab"):
        assert np.abs(one[name] - other[name]).mean() < 1.0
        assert np.std(other[name]) > 5.0
    assert np.abs(later.lab[:3] - ahead.lab[:3]).mean() < 1.0
    np.testing.assert_array_equal(later.lab[4:6], later.lab[[4, 5]])


def test_on_demand_needs_shards(pictures):
    with pytest.raises(ValueError, match="must be TFRecord files"):
        data.load(pictures, on_demand=True)


@pytest.mark.parametrize("arguments, said", [
    (["a", "b", "--out", "x"], "NAME=PHOTOS"),
    (["n=a", "n=b", "--out", "x"], "each name once"),
    ([".", "--out", "x", "--size", "0"], "size must be 1 or more"),
    (["here=.", "there=nowhere", "--out", "x"], "nowhere: no such folder"),
])
def test_wrong_sources_and_sizes_are_one_line(arguments, said, tmp_path, capsys,
                                    monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert write_tfrecords.main(arguments) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("setting, said", [
    ("vae.epochs=3", "joint, mdn"), ("joint.epochs=0", "above 0"),
    ("joint.name=mdn", "epochs or learning_rate"),
    ("precision=float16", "mixed_bfloat16")])
def test_wrong_settings_are_one_line(setting, said, pictures, tmp_path,
                                     capsys):
    assert main(["--config", "photos", "--data", str(pictures), "--workdir",
                 str(tmp_path / "run"), "--set", setting]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


@pytest.mark.slow
def test_two_hundred_steps_learn(pictures, tmp_path):
    trained(pictures, tmp_path / "run", "joint.epochs=33", "mdn.epochs=2")
    log = [json.loads(line) for line in
           (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    joint = [line["loss"] for line in log
             if "joint" in str(line) and "train" in str(line)]
    assert np.mean(joint[-3:]) < 0.7 * np.mean(joint[:2])
