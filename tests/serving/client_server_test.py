"""Client and load test against the stand-in, with a real exported model."""

import json

import numpy as np
import pytest
from fake_serving import make_photo, png
from picture_files import PICTURES, mutated
from PIL import Image
from standin_test import memory

import serving.client
from serving import load_test, standin
from serving.client import command as client_command
from serving.client.endpoint import ServerError
from tfdivcolor import cli, export, images
from tfdivcolor.settings import Hint, Sampling

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tiny, tmp_path_factory):
    """Folder of an exported version."""
    return export.save(tmp_path_factory.mktemp("models") / "tfdivcolor", tiny)


@pytest.fixture(scope="module")
def server(model):
    with standin.start(model.parent) as server:
        yield server


@pytest.fixture(params=["rest", "grpc"])
def address(request, server):
    return getattr(server, f"{request.param}_address")


def test_pictures_are_those_of_the_colorizer(address, tiny):
    photos = [make_photo(0), make_photo(1, 31, 70)]
    with serving.client.connect(address) as client:
        results = client.colorize_batch(photos, 3, seed=5, temperature=0.8)
    for photo, result in zip(photos, results):
        expected = tiny.colorize(photo, 3, seed=5, temperature=0.8)
        apart = np.abs(result.images.astype(int) - expected.images)
        assert (apart.max(axis=-1) <= 1).mean() >= 0.999
        np.testing.assert_allclose(
            result.log_prob, expected.log_prob, atol=1e-3)
        np.testing.assert_allclose(
            result.share, expected.share, atol=2.5 / 256)
        np.testing.assert_array_equal(result.grey, expected.grey)


def test_hints_do_what_they_do_in_the_colorizer(address, tiny, tmp_path):
    photos = [make_photo(0), make_photo(1, 31, 70), make_photo(2)]
    hints = [[Hint(20, 10, (200, 40, 30)), Hint(59, 39, (30, 60, 200))], [],
             [Hint(0, 0, (90, 160, 60))]]
    with serving.client.connect(address) as client:
        results = client.colorize_batch(
            photos, 3, seed=5, hints=hints, warmth=4, saturation=1.2)
        with pytest.raises(ServerError) as error:
            client.colorize_batch(photos, 1, hints=[[], [], [
                Hint(1, 1, (0, 0, 0)), Hint(60, 0, (0, 0, 0))]])
    assert (error.value.code, str(error.value).partition(": ")[2]) == (
        "INVALID_ARGUMENT", "INVALID_ARGUMENT: hints[1]: x must be a whole "
        "number of 0 to 59 (received 60)")
    assert error.value.where == "sources[2]"
    for photo, mine, result in zip(photos, hints, results):
        expected = tiny.colorize(
            photo, 3, seed=5, hints=mine, warmth=4, saturation=1.2)
        apart = np.abs(result.images.astype(int) - expected.images)
        assert (apart.max(axis=-1) <= 1).mean() >= 0.999
        np.testing.assert_allclose(
            result.share, expected.share, atol=2.5 / 256)
        for name in ("log_prob", "hints_before", "hints_after"):
            np.testing.assert_allclose(
                getattr(result, name), getattr(expected, name), atol=1e-2)


def test_pixels_by_rest_and_grpc(server):
    pixels = np.stack([make_photo(0), make_photo(1)])
    outputs = []
    for address in (server.rest_address, server.grpc_address):
        with serving.client.connect(address) as client:
            outputs.append(client._transport.predict("colorize_pixels", {
                "pixels": pixels, "num_samples": np.int32(2),
                "seed": np.int64(3), "temperature": np.float32(0.5)}))
            expected = client.colorize_batch(list(pixels), 2, seed=3)
    for output in outputs:
        colorized = np.asarray(output["colorized"])
        for row, result in enumerate(expected):
            assert np.abs(colorized[row].astype(int)
                          - result.images).max() <= 1


def test_a_model_that_sees_more_than_its_canvas(
        photos_version, tiny_photos, tmp_path, capsys):
    photo = make_photo(0, 80, 60)
    expected = tiny_photos.colorize(photo, 5, seed=5)
    file = tmp_path / "photo.png"
    file.write_bytes(png(photo))
    with standin.start(photos_version.parent) as server:
        addresses = [server.rest_address, server.grpc_address]
        for address in addresses:
            with serving.client.connect(address) as client:
                result = client.colorize(photo, 5, seed=5)
            apart = np.abs(result.images.astype(int) - expected.images)
            assert (apart.max(axis=-1) <= 1).mean() >= 0.999
            np.testing.assert_allclose(
                result.share, expected.share, atol=2.5 / 256)
        code = load_test.main([
            str(file), "--mixed", "--requests", "20", "--rounds", "1",
            "--warm-up", "0.1", *(f"--server={name}" for name in addresses)])
    assert code == 0, capsys.readouterr().out


def test_the_models_own_messages_name_the_picture(address, tmp_path):
    path, jpeg = tmp_path / "cut.png", tmp_path / "whole.jpg"
    Image.fromarray(make_photo()).save(jpeg)
    # The client sends it as it is, because its header is whole.
    path.write_bytes(png(make_photo())[:-400])
    with serving.client.connect(address) as client:
        with pytest.raises(ServerError) as error:
            client.colorize_batch([jpeg, path])
        assert error.value.code == "INVALID_ARGUMENT"
        assert str(error.value).startswith(
            f"{path}: INVALID_ARGUMENT: must be a whole")
    with serving.client.connect(address, label="none") as client:
        with pytest.raises(ServerError, match="none"):
            client.colorize(jpeg)


def test_sheet_is_that_of_the_command(address, tiny, tmp_path, capsys):
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(make_photo()))
    tiny.save(tmp_path / "weights")
    assert cli.main(["colorize", str(photo), "--sheet", "--weights", str(
        tmp_path / "weights"), "--out", str(tmp_path)]) == 0
    assert client_command.main([
        str(photo), "--server", address, "--sheet",
        str(tmp_path / "sheet.png")]) == 0
    ours, theirs = (images.read(tmp_path / name).pixels.astype(int)
                    for name in ("sheet.png", "photo_sheet.png"))
    assert (np.abs(ours - theirs).max(axis=-1) <= 1).mean() >= 0.999


def test_mixture_is_answered_as_expected(server, model, tmp_path, capsys):
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(make_photo(height=120, width=160)))
    code = load_test.main([
        str(photo), "--mixed", "--server", server.rest_address, "--server",
        server.grpc_address, "--model", str(model), "--requests", "60",
        "--rounds", "1", "--warm-up", "0.1", "--json",
        str(tmp_path / "load.json")])
    stdout = capsys.readouterr().out
    assert code == 0, stdout
    targets = json.loads((tmp_path / "load.json").read_text())["targets"]
    assert len(targets) == 3
    for target in targets:
        assert (target["requests"], target["errors"]) == (60, {})
        assert target["refused"] == targets[0]["refused"] > 5
    assert "of the direct calls' colourings/s" in stdout


def test_mutated_pictures_never_break_the_server(server):
    """10,000 calls by both protocols: answered or refused, memory flat."""
    files = [data for name, data in PICTURES.items() if name != "tall"]
    addresses = (server.rest_address, server.grpc_address)
    clients = [serving.client.connect(address, max_attempts=1)
               for address in addresses]
    answered, before = {"OK": 0, "INVALID_ARGUMENT": 0}, None
    for seed in range(10_000):
        if seed == 2_000:  # what is taken once has been taken
            before = memory()
        data = mutated(
            files[seed % len(files)], np.random.default_rng(seed))
        try:
            # Beneath the client's own reading of pictures.
            outputs = clients[seed % 2]._transport.predict(
                "colorize_n", serving.client.inputs_of(
                    "colorize_n", [data], Sampling(1, seed)))
            assert len(outputs["colorized_bytes"][0]) == 1
            answered["OK"] += 1
        except ServerError as error:
            assert error.message.startswith("image_bytes[0]: must"), error
            answered[error.code] += 1
    assert min(answered.values()) > 500
    assert memory() < before + 100e6
