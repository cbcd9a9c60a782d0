"""The client: what it sends, what it makes of answers, and the command."""

import concurrent.futures
import io
import json
import subprocess
import sys
import threading
import time
from http.server import ThreadingHTTPServer

import grpc
import numpy as np
import pytest
from fake_serving import (
    SIZE,
    FakeModel,
    RestHandler,
    answer,
    grpc_server,
    make_photo,
    nowhere,
    png,
    rest_server,
)
from PIL import ExifTags, Image, ImageCms

import serving.client
from serving.client import command as client_command, upload
from serving.client.endpoint import Endpoint, ServerError
from tfdivcolor import images
from tfdivcolor.color import canvas
from tfdivcolor.coloring import coloring
from tfdivcolor.export import graph_decoding
from tfdivcolor.settings import UNSTEERED, Hint, Steering


@pytest.fixture
def model():
    return FakeModel()


@pytest.fixture(params=[rest_server, grpc_server], ids=["rest", "grpc"])
def address(request, model):
    with request.param(model) as found:
        yield found


# --- Calls -------------------------------------------------------------------


def test_result_is_what_the_server_answered(model, address):
    photo = png(make_photo())
    with serving.client.connect(address) as client:
        result = client.colorize(photo, num_samples=3, seed=-5)
        client.colorize(photo)
    assert len(result) == 3
    np.testing.assert_array_equal(
        result.images, [answer(0, rank, -5) for rank in range(3)])
    assert result.images.dtype == np.uint8
    np.testing.assert_array_equal(result.log_prob, np.float32([0, -1, -2]))
    np.testing.assert_array_equal(result.share, np.float32([1, 1 / 2, 1 / 3]))
    assert result.log_prob.dtype == result.share.dtype == np.float32
    assert result.encoded == [
        png(answer(0, rank, -5)) for rank in range(3)]
    signature, inputs = model.calls[0]
    assert signature == "colorize_n"
    assert list(inputs["image_bytes"]) == [photo]
    assert {key: (np.shape(value), value) for key, value in inputs.items()
            if key != "image_bytes"} == {
        "num_samples": ((), 3), "seed": ((), -5), "temperature": ((), 0.5)}
    # The defaults are those of the Python API.
    assert {key: float(value) for key, value in model.calls[1][1].items()
            if key != "image_bytes"} == {
        "num_samples": 8, "seed": 0, "temperature": 0.5}
    assert model.metadata_calls == 1


def test_a_model_of_0_5_has_no_shares(model, address):
    model.has_shares = False
    with serving.client.connect(address) as client:
        for result in client.colorize_batch([make_photo(0), make_photo(1)]):
            assert result.share is None and len(result.log_prob) == 8


def test_types_on_the_wire(model):
    with grpc_server(model) as address:
        with serving.client.connect(address) as client:
            client.colorize(png(make_photo()))
    inputs = model.calls[0][1]
    assert (inputs["num_samples"].dtype, inputs["seed"].dtype,
            inputs["temperature"].dtype) == (np.int32, np.int64, np.float32)


def test_without_colorize_n_only_the_models_own_number_fits(model, address):
    del model.signatures["colorize_n"]
    with serving.client.connect(address) as client:
        photos = [png(make_photo(i)) for i in range(2)]
        results = client.colorize_batch(photos, num_samples=8, seed=7)
        with pytest.raises(ValueError, match=r"must be 8, .*\(received 5\)"):
            client.colorize(photos[0], num_samples=5)
    assert [result.encoded[3] for result in results] == [
        png(answer(row, 3, 7)) for row in range(2)]
    (signature, inputs), = model.calls
    assert signature == "colorize"
    assert inputs["seed"].tolist() == [7, 7]
    assert inputs["temperature"].tolist() == [0.5, 0.5]


HINTS = [Hint(20, 10, (200, 40, 30)), Hint(5, 33, (30, 60, 200)),
         Hint(29, 0, (90, 160, 60))]


def test_hints_go_along_padded(model, address):
    asked = [[], HINTS[:1], HINTS]
    with serving.client.connect(address) as client:
        results = client.colorize_batch(
            [make_photo(i) for i in range(3)], 2, seed=4, hints=asked,
            warmth=-3, saturation=1.5)
    (signature, inputs), = model.calls
    assert signature == "colorize_hinted"
    expected = np.full([3, 3, 5], np.nan)
    expected[1, 0] = expected[2, 0] = 20, 10, 200, 40, 30
    expected[2, 1:] = (5, 33, 30, 60, 200), (29, 0, 90, 160, 60)
    np.testing.assert_array_equal(inputs["hints"], expected)
    assert {key: (np.shape(value), value) for key, value in inputs.items()
            if key not in ("image_bytes", "hints")} == {
        "num_samples": ((), 2), "seed": ((), 4), "temperature": ((), 0.5),
        "warmth": ((), -3), "saturation": ((), 1.5)}
    for result, hints in zip(results, asked):
        assert result.steering == Steering(
            hints=hints, warmth=-3, saturation=1.5)
        x = np.float32([hint.x for hint in hints])
        np.testing.assert_array_equal(result.hints_before, x + 0.5)
        np.testing.assert_array_equal(result.hints_after, [x, x + 100])
    assert len(results[0]) == 2


def test_types_of_steering_on_the_wire(model):
    with grpc_server(model) as address:
        with serving.client.connect(address) as client:
            client.colorize(make_photo(), warmth=2)
    inputs = model.calls[0][1]
    assert inputs["hints"].shape == (1, 1, 5)
    assert np.isnan(inputs["hints"]).all()
    assert {inputs[name].dtype for name in (
        "hints", "warmth", "saturation")} == {np.dtype(np.float32)}


def test_no_steering_calls_the_other_signature(model, address):
    with serving.client.connect(address) as client:
        result = client.colorize(make_photo(), 2, hints=[], warmth=0)
        assert model.calls[0][0] == "colorize_n"
        assert result.steering == UNSTEERED
        assert result.hints_before.shape == (0,)
        del model.signatures["colorize_hinted"]
    with serving.client.connect(address) as client:
        with pytest.raises(ValueError, match="signature colorize_hinted; ex"):
            client.colorize(make_photo(), 2, saturation=2)
        with pytest.raises(ValueError, match="warmth must be"):
            client.colorize(make_photo(), 2, warmth=31)
        with pytest.raises(ValueError, match=r"received 1 for 2"):
            client.colorize_batch([make_photo()] * 2, hints=[HINTS])
    assert len(model.calls) == 1


def test_a_refused_hint_names_the_picture(model, address):
    model.failures = [(400, "INVALID_ARGUMENT", (
        "assertion failed: [hints[1, 2]: x must be a whole number of 0 to 9 "
        "(received 20)]\n\t [[{{node Assert_3/Assert}}]]"))]
    with serving.client.connect(address) as client:
        with pytest.raises(ServerError) as error:
            client.colorize_batch(
                [make_photo()] * 2, hints=[[], HINTS])
    assert str(error.value) == (
        "sources[1]: INVALID_ARGUMENT: hints[2]: x must be a whole number of "
        "0 to 9 (received 20)")


def test_another_model_is_not_called(model, address):
    model.signatures = {"classify": 10}
    with serving.client.connect(address) as client:
        with pytest.raises(ServerError, match=r"colorize.*received classify"):
            client.colorize(png(make_photo()))
    assert not model.calls


def test_batch_keeps_order_and_bad_picture_is_named(model, address, tmp_path):
    path = tmp_path / "second.png"
    path.write_bytes(png(make_photo(1)))
    with serving.client.connect(address) as client:
        results = client.colorize_batch([make_photo(0), path], num_samples=2)
        assert [result.name for result in results] == [
            "sources[0]", str(path)]
        np.testing.assert_array_equal(
            results[1].images, [answer(1, rank, 0) for rank in range(2)])
        np.testing.assert_array_equal(results[1].log_prob, [-1, -2])
        np.testing.assert_array_equal(results[1].share, [7 / 8, 7 / 16])
        model.failures = [(400, "INVALID_ARGUMENT", (
            "assertion failed: [image_bytes[1]: must be a whole, undamaged "
            "picture (received [9] bytes)]\n\t [[{{node Assert_3/Assert}}]]"))]
        with pytest.raises(ServerError) as error:
            client.colorize_batch([make_photo(0), path])
        assert str(error.value) == (
            f"{path}: INVALID_ARGUMENT: must be a whole, undamaged picture "
            "(received [9] bytes)")
        with pytest.raises(images.ImageError, match=r"^sources\[1\]: must"):
            client.colorize_batch([make_photo(0), b"no picture"])
        assert client.colorize_batch([]) == []


def test_large_messages_pass_both_ways(model, address):
    model.padding = 1 << 20  # 8 MiB in all; gRPC's own limit is 4
    noise = np.random.default_rng(0).integers(
        0, 256, [1400, 1400, 3]).astype(np.uint8)
    with serving.client.connect(address) as client:
        result = client.colorize(noise)
    assert len(result.sent) > 5 << 20
    assert sum(map(len, result.encoded)) > 8 << 20
    np.testing.assert_array_equal(images.read(result.sent).pixels, noise)


def test_threads_may_share_a_client(model, address):
    photo = png(make_photo())
    with (serving.client.connect(address) as client,
          concurrent.futures.ThreadPoolExecutor(8) as pool):
        results = list(pool.map(
            lambda seed: client.colorize(photo, 2, seed), range(24)))
    for seed, result in enumerate(results):
        np.testing.assert_array_equal(
            result.images, [answer(0, rank, seed) for rank in range(2)])


def test_version_and_label_are_in_the_url_and_the_message(model):
    assert Endpoint("http://h:1/base/", "a b", version=3).url == (
        "http://h:1/base/v1/models/a%20b/versions/3")
    with rest_server(model, "tfdivcolor/labels/canary") as address:
        with serving.client.connect(address, label="canary") as client:
            client.colorize(make_photo())
    from serving.client import grpc_client

    spec = grpc_client.predict_request(
        Endpoint("h:1", version=3), "s", {}).model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == (
        "tfdivcolor", "s", 3)
    spec = grpc_client.predict_request(
        Endpoint("h:1", label="canary"), "s", {}).model_spec
    assert spec.version_label == "canary"


@pytest.mark.parametrize("options, message", [
    ({"server": "h"}, "server must be"), ({"server": "http://"}, "server"),
    ({"server": "h:x"}, "server"), ({"server": "ftp://h:1/"}, "server"),
    ({"timeout": 0}, "timeout"), ({"timeout": float("nan")}, "timeout"),
    ({"max_attempts": 0}, "max_attempts"), ({"max_attempts": 6}, "1 to 5"),
    ({"version": 1, "label": "a"}, "not both"),
])
def test_bad_options_are_refused_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        serving.client.connect(**options)


# --- Faults ------------------------------------------------------------------

BUSY = (503, "UNAVAILABLE", "queue is full")


def test_busy_server_is_tried_again(model, address):
    noise = np.random.default_rng(0).integers(
        0, 256, [400, 400, 3]).astype(np.uint8)  # more than 256 KiB
    model.failures = [BUSY, BUSY]
    with serving.client.connect(address, max_attempts=3) as client:
        assert len(client.colorize(noise, num_samples=2)) == 2
    assert len(model.calls) == 3
    assert all(call[1]["image_bytes"] == model.calls[0][1]["image_bytes"]
               for call in model.calls)


def test_attempts_are_limited(model, address):
    model.failures = [BUSY] * 5
    with serving.client.connect(address, max_attempts=2) as client:
        with pytest.raises(ServerError) as error:
            client.colorize(make_photo())
    assert (error.value.code, error.value.message) == (
        "UNAVAILABLE", "queue is full")
    assert len(model.calls) == 2


@pytest.mark.parametrize("status, code", [
    (400, "INVALID_ARGUMENT"), (404, "NOT_FOUND"), (429, "RESOURCE_EXHAUSTED"),
    (500, "INTERNAL"), (504, "DEADLINE_EXCEEDED")])
def test_other_errors_are_final(model, address, status, code):
    model.failures = [(status, code, "temperature: no\n  way")]
    with serving.client.connect(address) as client:
        with pytest.raises(ServerError) as error:
            client.colorize(make_photo())
    assert len(model.calls) == 1
    assert error.value.code == code
    assert str(error.value) == f"{address}: {code}: temperature: no way"


def test_time_out_is_final_and_counts_all_attempts(model, address):
    with serving.client.connect(address, timeout=0.5) as client:
        client.colorize(make_photo())
        model.seconds = 2
        started = time.monotonic()
        with pytest.raises(ServerError) as error:
            client.colorize(make_photo())
        assert error.value.code == "DEADLINE_EXCEEDED"
        assert time.monotonic() - started < 1.5
        assert len(model.calls) == 2


def test_no_server():
    for address in nowhere():
        with serving.client.connect(address, max_attempts=2) as client:
            with pytest.raises(ServerError) as error:
                client.colorize(make_photo())
        assert error.value.code == "UNAVAILABLE"
        assert "refused" in str(error.value).lower()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("body", [
    b"<html>hello</html>", b"{}", b"[]", b'{"outputs": 3}', b"\xff"])
def test_answers_of_something_else(body):
    class Other(RestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, args=[0.02],
                     daemon=True).start()
    with serving.client.connect(
            f"http://127.0.0.1:{server.server_port}") as client:
        with pytest.raises(ServerError, match="must answer as TensorFlow"):
            client.colorize(make_photo())
    server.shutdown()
    server.server_close()


# --- What is sent ------------------------------------------------------------


def _file(image_format, image, **options):
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def _rotated_exif():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return exif


def _files():
    """Image files by name, and whether they are sent as they are."""
    photo = Image.fromarray(make_photo())
    grey = photo.convert("L")
    deep = Image.fromarray(
        (np.arange(2400).reshape(40, 60) * 27).astype(np.uint16))
    srgb, lab = (ImageCms.ImageCmsProfile(ImageCms.createProfile(name))
                 .tobytes() for name in ("sRGB", "LAB"))
    alpha = Image.fromarray(make_photo(channels=4))
    palette = photo.quantize(60)
    return {
        "jpeg": (_file("JPEG", photo), True),
        "progressive": (_file("JPEG", photo, progressive=True), True),
        "grey jpeg": (_file("JPEG", grey), True),
        "cmyk": (_file("JPEG", photo.convert("CMYK")), False),
        "mpo": (_file("MPO", photo, save_all=True, append_images=[grey]),
                True),
        "srgb": (_file("JPEG", photo, icc_profile=srgb), True),
        "png": (_file("PNG", photo), True),
        "png with alpha": (_file("PNG", alpha), True),
        "palette": (_file("PNG", palette, transparency=3), True),
        "1 bit": (_file("PNG", grey.convert("1")), True),
        "16 bits": (_file("PNG", deep), True),
        "webp": (_file("WEBP", photo), True),
        "rotated jpeg": (_file("JPEG", photo, exif=_rotated_exif()), False),
        "rotated png": (_file("PNG", photo, exif=_rotated_exif()), False),
        "profile": (_file("JPEG", photo, icc_profile=_swapped(srgb)), False),
        "broken profile": (_file("PNG", photo, icc_profile=b"x"), False),
        "other profile": (_file("PNG", photo, icc_profile=lab), False),
        "tiff": (_file("TIFF", photo), False),
        "tiff of 16 bits": (_file("TIFF", deep), False),
        "webp with alpha": (_file("WEBP", alpha), False),
        "moving webp": (_file("WEBP", photo, save_all=True,
                              append_images=[grey.convert("RGB")]), False),
        "bmp palette": (_file("BMP", palette), False),
        "bmp 1 bit": (_file("BMP", grey.convert("1")), False),
        "gif": (_file("GIF", palette, transparency=3), False),
    }


def _swapped(profile):
    """A profile of another name whose red and blue are exchanged."""
    profile = profile.replace(b"s\0R\0G\0B", b"o\0t\0h\0r").replace(
        b"sRGB", b"othr")
    return (profile.replace(b"rXYZ", b"_XYZ").replace(b"bXYZ", b"rXYZ")
            .replace(b"_XYZ", b"bXYZ"))


@pytest.mark.parametrize("name", _files())
def test_model_decodes_what_is_sent_as_the_picture_is_read(name):
    data, as_it_is = _files()[name]
    sent = upload.encode(data)
    assert (sent == data) == as_it_is
    expected = images.read(data).pixels
    decoded = graph_decoding.decode(sent, 0, 10**6).numpy()
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).max() <= (
        0 if not as_it_is else 1)
    if name == "profile":  # it matters
        assert np.abs(expected - images.read(
            _files()["jpeg"][0]).pixels.astype(int)).max() > 50


def test_pictures_of_every_kind_are_sent_alike(model, address, tmp_path):
    path = tmp_path / "photo.tif"
    path.write_bytes(_files()["tiff"][0])
    sources = [path, str(path), path.read_bytes(), Image.open(path),
               make_photo()]
    with serving.client.connect(address) as client:
        results = client.colorize_batch(sources, num_samples=1)
    for sent in model.calls[0][1]["image_bytes"]:
        np.testing.assert_array_equal(images.read(sent).pixels, make_photo())
    assert [result.name for result in results] == [
        str(path), str(path), "sources[2]", str(path), "sources[4]"]


@pytest.mark.parametrize("source, message", [
    ("missing.jpg", "missing.jpg: must be an image file"),
    (b"", "image: must be an image"), (np.zeros([2, 2], int), "int64"),
    (3, "image: must be a path")])
def test_no_picture_is_not_sent(model, source, message):
    with rest_server(model) as address:
        with serving.client.connect(address) as client:
            with pytest.raises(images.ImageError, match=message):
                client.colorize(source)
    assert not model.calls and not model.metadata_calls


def test_grey_is_that_of_the_colorizer(model, address, tiny):
    with serving.client.connect(address) as client:
        result = client.colorize(make_photo())
    np.testing.assert_array_equal(
        result.grey, tiny.colorize(make_photo(), num_samples=1).grey)


# --- Proxies -----------------------------------------------------------------


class _KeyHandler(RestHandler):
    """Answers those with a key, as a proxy does."""

    def parse_request(self):
        if not super().parse_request():
            return False
        if self.headers["X-Api-Key"] != "secret":
            self._send(401, {"error": "no key"})
            return False
        return True


def test_key_goes_along_by_rest(model, tmp_path, capsys):
    key, photo = tmp_path / "key", tmp_path / "photo.png"
    key.write_text("secret\n")
    photo.write_bytes(png(make_photo()))
    with rest_server(model, handler=_KeyHandler) as address:
        with pytest.raises(ServerError, match="UNAUTHENTICATED: no key"):
            serving.client.connect(address).colorize(photo)
        code, _, stderr = _run(
            capsys, photo, "--server", address, "--out", tmp_path,
            "--api-key-file", key)
    assert (code, stderr) == (0, "")
    assert "secret" not in (tmp_path / "photo.json").read_text()
    assert "secret" not in repr(Endpoint(address, api_key="secret"))


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """Makes a certificate for localhost; gRPC trusts it."""
    key, chain = tmp_path / "tls.key", tmp_path / "tls.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", key, "-out", chain], check=True, capture_output=True)
    monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(chain))
    return key.read_bytes(), chain.read_bytes()


def test_key_goes_along_by_grpc_with_tls(certificate):
    seen = []

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            seen.append(dict(details.invocation_metadata).get("x-api-key"))

    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(1), handlers=(Handler(),))
    port = server.add_secure_port(
        "localhost:0", grpc.ssl_server_credentials([certificate]))
    server.start()
    # In a process of its own, as gRPC reads the certificates only once.
    code = (f"from serving import client; client.connect('grpcs://localhost:"
            f"{port}', api_key='secret', max_attempts=1).signature_for(8)")
    done = subprocess.run([sys.executable, "-c", code], text=True,
                          capture_output=True)
    server.stop(None)
    assert "UNIMPLEMENTED" in done.stderr and seen == ["secret"], done.stderr


# --- The command -------------------------------------------------------------


def _run(capsys, *arguments):
    code = client_command.main(list(map(str, arguments)))
    return code, *capsys.readouterr()


def test_command_writes_what_the_server_answered(
        model, address, tmp_path, capsys):
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(make_photo()))
    out, sheet = tmp_path / "out", tmp_path / "sheet.png"
    code, stdout, stderr = _run(
        capsys, photo, "-n", 2, "--seed", 9, "--temperature", 0.25,
        "--server", address, "--out", out, "--sheet", sheet)
    assert (code, stderr) == (0, "")
    assert stdout == ("2 colourings of 1 photograph (model tfdivcolor at "
                      f"{address}); wrote {sheet} and {out}\n")
    assert sorted(path.name for path in out.iterdir()) == [
        "photo.json", "photo_00.png", "photo_01.png"]
    for rank in range(2):
        assert (out / f"photo_{rank:02d}.png").read_bytes() == png(
            answer(0, rank, 9))
    record = json.loads((out / "photo.json").read_text())
    assert record["outputs"] == ["photo_00.png", "photo_01.png"]
    assert (record["seed"], record["temperature"], record["log_prob"],
            record["share"], record["server"]) == (
        9, 0.25, [0.0, -1.0], [1.0, 0.5], address)
    assert images.read(sheet).pixels.shape[1] > 3 * SIZE[1]
    assert float(model.calls[0][1]["temperature"]) == 0.25


def test_command_steers_as_colorize_does(
        model, address, tmp_path, capsys):
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(make_photo()))
    code, _, stderr = _run(
        capsys, photo, "-n", 2, "--server", address, "--out", tmp_path,
        "--hint", "20,10,#c8281e", "--hint", "5,33,#1e3cc8", "--cooler", 4,
        "--saturation", 0.5)
    assert code == 0
    assert stderr == "".join(
        f"tfdivcolor: {photo}: the distance to hint {hint} is {x}.0 ab units "
        f"in the first result, at most {x + 100}.0 in all results, and {x}.5 "
        "without hints\n"
        for hint, x in (("20,10,#c8281e", 20), ("5,33,#1e3cc8", 5)))
    record = json.loads((tmp_path / "photo.json").read_text())
    assert (record["warmth"], record["saturation"]) == (-4, 0.5)
    assert record["hints"] == [
        {"x": 20, "y": 10, "rgb": "#c8281e", "before": 20.5,
         "after": [20, 120]},
        {"x": 5, "y": 33, "rgb": "#1e3cc8", "before": 5.5,
         "after": [5, 105]}]
    signature, inputs = model.calls[0]
    assert signature == "colorize_hinted"
    assert float(inputs["warmth"]) == -4


def test_command_goes_on_after_a_bad_picture(
        model, address, tmp_path, capsys):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.png", "b.png", "deep/c.png"):
        (folder / name).write_bytes(png(make_photo()))
    (folder / "bad.jpg").write_bytes(b"no picture")
    model.failures = [(400, "INVALID_ARGUMENT", (
        "assertion failed: [image_bytes[0]: must be smaller]"))]
    out = tmp_path / "out"
    code, stdout, stderr = _run(
        capsys, folder, tmp_path / "none.png", "-n", 1, "--server", address,
        "--out", out)
    assert code == 1
    lines = [line.removeprefix("tfdivcolor: ")
             for line in stderr.splitlines() if "tfdivcolor: " in line]
    assert [line.rpartition("\r")[2] for line in lines] == [
        f"{tmp_path / 'none.png'}: must be a file or folder (received a path "
        "that does not exist)",
        f"{folder / 'a.png'}: INVALID_ARGUMENT: must be smaller",
        f"{folder / 'bad.jpg'}: must be an image, one of JPEG, PNG, WEBP, "
        "TIFF, BMP, GIF, HEIF, AVIF, JPEG2000 (received data that begin "
        "b'no picture')"]
    assert "4/4" in stderr  # the progress bar
    assert stdout == (
        "1 colouring each of 2 photographs (model tfdivcolor at "
        f"{address}), 2 failed; wrote {out}\n")
    assert sorted(path.relative_to(out).as_posix()
                  for path in out.rglob("*.png")) == [
        "b_00.png", "deep/c_00.png"]


def test_command_without_a_server_says_one_line(
        tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png(make_photo()))
    for address in nowhere():
        code, stdout, stderr = _run(
            capsys, "a.png", "b.png", "--server", address, "--attempts", 1)
        assert (code, stdout) == (1, "")
        message, = (line for line in stderr.splitlines()
                    if "tfdivcolor: " in line)
        assert f"{address}: UNAVAILABLE: " in message
    assert not (tmp_path / "out").exists()


def test_command_writes_jpeg_under_its_own_name(
        model, address, tmp_path, capsys, monkeypatch):
    jpeg = _file("JPEG", Image.fromarray(make_photo()))
    monkeypatch.setattr(
        model, "predict", lambda *_: (
            [[jpeg, jpeg]], {"log_prob": [[0.0, 0.0]]}))
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(make_photo()))
    code, _, stderr = _run(capsys, photo, "-n", 2, "--server", address,
                           "--out", tmp_path / "out")
    assert (code, stderr) == (0, "")
    assert (tmp_path / "out" / "photo_01.jpg").read_bytes() == jpeg
    assert not list(tmp_path.glob("out/*.png"))
    record = json.loads((tmp_path / "out" / "photo.json").read_text())
    assert record["share"] is None  # of a model that 0.5 exported


@pytest.mark.parametrize("arguments, message", [
    (["--sheet", "x.jpg"], "must name a .png file"),
    (["--sheet", "photo.png"], "must not name the photograph itself"),
    (["other.png", "--sheet", "x.png"], "one photograph (received 2)"),
    (["-n", "0"], "num_samples must be 1 to 100 (received 0)"),
    (["--temperature", "nan"], "temperature must be"),
    (["--server", "nonsense"], "server must be"),
    (["--hint", "1,2"], "hint: must read X,Y,#RRGGBB"),
    (["--warmer", "31"], "warmth must be"),
    (["--warmer", "1", "--cooler", "1"], "not allowed with"),
    (["--saturation", "-1"], "saturation must be"),
    (["--timeout", "0"], "timeout must be"),
])
def test_bad_arguments(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photo.png", "other.png"):
        (tmp_path / name).write_bytes(png(make_photo()))
    with pytest.raises(SystemExit) as stopped:
        client_command.main(["photo.png", *arguments])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert images.read("photo.png").pixels.shape == (40, 60, 3)


def test_rest_and_help_do_without_tensorflow(tmp_path):
    (tmp_path / "photo.png").write_bytes(png(make_photo()))
    program = (
        "import sys\n"
        "from serving.client import command as client_command\n"
        "try: code = client_command.main(sys.argv[1:])\n"
        "except SystemExit as stopped: code = stopped.code\n"
        "heavy = {'tensorflow', 'grpc', 'keras'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "sys.exit(code)\n")
    with rest_server(FakeModel()) as address:
        for arguments in (["--help"], [
                str(tmp_path / "photo.png"), "--server", address, "--out",
                str(tmp_path / "out")]):
            done = subprocess.run(
                [sys.executable, "-c", program, *arguments],
                capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")
    assert len(list((tmp_path / "out").glob("*.png"))) == 8


def test_contact_sheet_is_that_of_colorize(model, address, tmp_path):
    from tfdivcolor import plots

    with serving.client.connect(address) as client:
        result = client.colorize(make_photo(), num_samples=2)
    shown = coloring.Coloring(
        photo=None, luminance=canvas.luminance_of(make_photo()).numpy(),
        ab=np.zeros([2, 8, 8, 2], np.float32), log_prob=result.log_prob,
        component=None, weight=None, share=result.share, latents=None,
        sampling=None)
    np.testing.assert_array_equal(result.grey, shown.grey)
    plots.contact_sheet(result, tmp_path / "sheet.png")
    assert images.read(tmp_path / "sheet.png").pixels.any()
