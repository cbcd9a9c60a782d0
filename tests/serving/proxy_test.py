"""The example proxy, run by nginx before stubs of TensorFlow Serving.

Skipped where there is no nginx that knows `http2 on` (1.25.1 or later).
"""

import contextlib
import getpass
import http.server
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from concurrent import futures
from pathlib import Path

import grpc
import pytest

PROXY = Path(__file__).parents[2] / "serving" / "deploy" / "proxy"
KEY = "8" * 64
PREDICT = "/v1/models/tfdivcolor/labels/canary:predict"


def _nginx_is_new():
    if not shutil.which("nginx"):
        return False
    said = subprocess.run(["nginx", "-v"], capture_output=True, text=True)
    version = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said.stderr)
    return tuple(map(int, version.groups())) >= (1, 25, 1)


pytestmark = pytest.mark.skipif(
    not _nginx_is_new() or not shutil.which("openssl"),
    reason="no openssl or no nginx of 1.25.1 or later")


class _Rest(http.server.BaseHTTPRequestHandler):
    """Answers with the path and the key that arrived."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def do_GET(self):
        self._answer()

    def _answer(self):
        body = f"{self.path} {self.headers.get('X-Api-Key', '')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class _Grpc(grpc.GenericRpcHandler):
    """Answers every call with its name."""

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: details.method.encode())


@contextlib.contextmanager
def _upstreams():
    """Ports of a REST and a gRPC stub."""
    rest = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Rest)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((_Grpc(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield rest.server_port, port
    finally:
        rest.shutdown()
        rest.server_close()
        server.stop(None)


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _write_files(folder, port, rest, grpc_port):
    """The configuration with this machine's addresses, and its secrets."""
    text = (PROXY / "nginx.conf").read_text()
    for old, new in (("tfdivcolor:8501", f"127.0.0.1:{rest}"),
                     ("tfdivcolor:8500", f"127.0.0.1:{grpc_port}"),
                     ("listen 8443", f"listen 127.0.0.1:{port}"),
                     (" /tmp/", f" {folder}/")):
        assert old in text
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "keys.map").write_text(f'"{KEY}" first_client;\n')
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", secrets / "tls.key", "-out", secrets / "tls.crt"],
        check=True, capture_output=True)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """Port and certificate of a running proxy."""
    folder = tmp_path_factory.mktemp("proxy")
    port = _free_port()
    with _upstreams() as upstreams:
        _write_files(folder, port, *upstreams)
        command = ["nginx", "-c", str(folder / "nginx.conf")]
        subprocess.run([*command, "-t"], check=True)
        process = subprocess.Popen(
            [*command, "-g", f"daemon off; user {getpass.getuser()};"])
        try:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                time.sleep(0.05)
            yield port, folder / "secrets" / "tls.crt"
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def ask(proxy):
    """Calls the proxy: (path, body, key) -> HTTP code and body."""
    time.sleep(0.4)  # within the rate, as two calls
    port, certificate = proxy
    context = ssl.create_default_context(cafile=certificate)

    def call(path, body=None, key=KEY):
        request = urllib.request.Request(
            f"https://localhost:{port}{path}", body,
            {"X-Api-Key": key} if key else {})
        try:
            with urllib.request.urlopen(
                    request, context=context, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
    return call


@pytest.mark.parametrize("key", [None, "wrong"])
def test_without_a_key_nothing_is_answered(ask, key):
    assert ask(PREDICT, b"{}", key)[0] == 401
    assert ask("/v1/models/tfdivcolor", None, key)[0] == 401


@pytest.mark.parametrize("path, upstream", [
    (PREDICT, PREDICT),
    ("/v1/models/tfdivcolor/versions/2:predict",) * 2,
    ("/v1/models/tfdivcolor/metadata",) * 2,
    ("/v1/models/tfdivcolor",) * 2,
    ("/v1/models/tfdivcolor:predict",
     "/v1/models/tfdivcolor/labels/stable:predict")])
def test_calls_reach_the_server_without_the_key(ask, path, upstream):
    assert ask(path, b"{}") == (200, f"{upstream} ")


@pytest.mark.parametrize("path", [
    "/monitoring/prometheus/metrics", "/v1/models/other:predict",
    "/v1/models/tfdivcolor/labels/../../other:predict", "/"])
def test_other_paths_are_not_there(ask, path):
    assert ask(path)[0] == 404


def test_bodies_have_a_limit(ask):
    assert ask(PREDICT, bytes(31 * 2**20))[0] == 200
    assert ask(PREDICT, bytes(33 * 2**20))[0] == 413


def test_a_client_that_calls_too_often_is_told_so(ask):
    codes = [ask(PREDICT, b"{}")[0] for _ in range(40)]
    assert codes[0] == 200 and set(codes) == {200, 429}
    time.sleep(2)
    assert ask(PREDICT, b"{}")[0] == 200


def test_grpc_predicts_and_does_not_reload(proxy):
    time.sleep(2)
    port, certificate = proxy
    credentials = grpc.ssl_channel_credentials(certificate.read_bytes())

    def call(name, metadata):
        with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
            return channel.unary_unary(name)(
                b"", metadata=metadata, timeout=10).decode()

    keyed = [("x-api-key", KEY)]
    for method in ("PredictionService/Predict", "ModelService/GetModelStatus"):
        name = f"/tensorflow.serving.{method}"
        assert call(name, keyed) == name
        with pytest.raises(grpc.RpcError) as caught:
            call(name, [])
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(grpc.RpcError) as caught:
        call("/tensorflow.serving.ModelService/HandleReloadConfigRequest",
             keyed)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
