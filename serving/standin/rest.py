"""TensorFlow Serving's REST routes.

    POST /v1/models/NAME[/versions/N|/labels/LABEL]:predict
    GET  /v1/models/NAME[/versions/N|/labels/LABEL][/metadata]
    GET  /monitoring/prometheus/metrics

Errors are {"error": "..."} with the HTTP status of the code.
"""

import asyncio
import json
import re
import threading
import time
import urllib.parse
import zlib

from aiohttp import web
from google.protobuf import json_format
from tensorflow_serving.apis import model_pb2

from serving.standin import prediction, rest_json, rest_results
from serving.standin.prediction import ServingError

_PREDICT = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/([0-9]+)|/labels/([^/:]+))?"
    r":(classify|regress|predict)", re.IGNORECASE)
_LOOK = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:/versions/([0-9]+)|/labels/([^/:]+))?"
    r"(?:/(metadata))?", re.IGNORECASE)

_HTTP = {
    "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409, "ABORTED": 409, "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}  # all others: 500

_CORS = {"Access-Control-Allow-Origin": "*",
         "Access-Control-Allow-Methods": "POST, GET",
         "Access-Control-Allow-Headers": "Content-Type"}

GRACE_SECONDS = 30  # for requests to be answered when the server stops
_BODY_SECONDS = 60  # for a client to send its request's body
_LINGER_SECONDS = 2  # for one that still sends a body which was refused


class Api:
    """Answers HTTP requests.

    Args:
        versions: `Versions`.
        work: `Work`.
        metrics: `Metrics`.
        enable_cors: bool. Whether pages from anywhere may call.
        max_body_bytes: int. Larger bodies get 413.
    """

    def __init__(self, versions, work, metrics, enable_cors, max_body_bytes):
        self._versions = versions
        self._work = work
        self._metrics = metrics
        self._headers = _CORS if enable_cors else {}
        self._max_body_bytes = max_body_bytes

    def application(self):
        """The aiohttp application."""
        app = web.Application(client_max_size=self._max_body_bytes)
        app.router.add_get("/monitoring/prometheus/metrics", self._page)
        app.router.add_route("*", "/{rest:.*}", self._answer)
        return app

    async def _page(self, request):
        return web.Response(body=self._metrics.page(),
                            content_type="text/plain")

    async def _answer(self, request):
        path = request.rel_url.raw_path
        if request.method == "OPTIONS" and self._headers:
            return web.Response(headers=self._headers)
        try:
            if request.method == "POST" and (
                    match := _PREDICT.fullmatch(path)):
                body = await self._predict(request, *match.groups())
            elif request.method == "GET" and (match := _LOOK.fullmatch(path)):
                body = self._look(*match.groups())
            elif path.lower().startswith("/v1/"):
                raise ServingError("INVALID_ARGUMENT", "Malformed request: "
                                   f"{request.method} {path}")
            else:
                raise ServingError("NOT_FOUND", f"Not found: {path}")
        except ServingError as error:
            return self._response(_HTTP.get(error.code, 500),
                                  _error(error.message))
        except web.HTTPRequestEntityTooLarge:
            return self._response(413, _error(
                f"the request's body must be {self._max_body_bytes} bytes or "
                "less (received more)"))
        return self._response(200, body)

    def _response(self, status, body):
        return web.Response(status=status, body=body, headers=self._headers,
                            content_type="application/json")

    # --- Predictions -------------------------------------------------------

    async def _predict(self, request, name, version, label, method):
        start = time.perf_counter()
        spec = _spec(name, version, label)
        code = "UNKNOWN"
        try:
            if method.lower() != "predict":
                raise ServingError("UNIMPLEMENTED", f"{method} is not part "
                                   "of this stand-in")
            with self._work.place():
                body = await self._read(request)
                encoding = request.headers.get("Content-Encoding", "")
                result = await asyncio.wrap_future(self._work.submit(
                    self._run, spec, body, encoding.lower() == "gzip"))
            code = "OK"
            return result
        except ServingError as error:
            code = error.code
            raise
        except web.HTTPRequestEntityTooLarge:
            code = "RESOURCE_EXHAUSTED"
            raise
        except asyncio.CancelledError:  # the client went away
            code = "CANCELLED"
            raise
        finally:
            if spec.name == self._versions.name:
                self._metrics.record(
                    "REST", code, time.perf_counter() - start)

    async def _read(self, request):
        if (request.content_length or 0) > self._max_body_bytes:
            raise web.HTTPRequestEntityTooLarge(self._max_body_bytes)
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                return await request.read()
        except TimeoutError as error:
            raise ServingError(
                "DEADLINE_EXCEEDED", "the request's body must come within "
                f"{_BODY_SECONDS} seconds") from error
        except web.RequestPayloadError as error:
            raise ServingError("INVALID_ARGUMENT", "the request's body must "
                               f"be whole (received {error})") from error

    def _run(self, spec, body, is_gzip):
        """All that takes time, in a thread: JSON, the model, JSON."""
        if is_gzip:
            body = self._unzip(body)
        document, signature = rest_json.parse(body)
        with self._versions.lease(spec) as (_, model):
            if signature not in model.signatures:
                raise ServingError(
                    "INVALID_ARGUMENT", "Serving signature name: "
                    f'"{signature}" not found in signature def')
            definition = model.signatures[signature]
            inputs, in_rows = rest_json.inputs(document, definition)
            outputs = prediction.run(model, signature, inputs)
        return rest_results.dump(outputs, definition, in_rows)

    def _unzip(self, body):
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            result = stream.decompress(body, self._max_body_bytes + 1)
        except zlib.error as error:
            raise ServingError(
                "INVALID_ARGUMENT", "the request's body must be whole gzip "
                f"data (received {error})") from error
        if len(result) > self._max_body_bytes:
            raise web.HTTPRequestEntityTooLarge(self._max_body_bytes)
        if not stream.eof or stream.unused_data:
            raise ServingError(
                "INVALID_ARGUMENT", "the request's body must be whole gzip "
                f"data (received {'more' if stream.eof else 'a part'})")
        return result

    # --- Looking -----------------------------------------------------------

    def _look(self, name, version, label, metadata):
        if not name:
            raise ServingError(
                "INVALID_ARGUMENT", "Missing model name in request.")
        spec = _spec(name, version, label)
        if not metadata:
            return _json(_as_dict(self._versions.status(spec)))
        with self._versions.lease(spec) as (number, model):
            spec.version.value = number
            signatures = _as_dict(prediction.signature_map(model))
        return _json({"model_spec": _as_dict(spec),
                      "metadata": {"signature_def": signatures}})


def _spec(name, version, label):
    """A `ModelSpec` of parts of a path."""
    spec = model_pb2.ModelSpec(name=urllib.parse.unquote(name))
    if label is not None:
        spec.version_label = urllib.parse.unquote(label)
    if version is not None:
        if len(version) > 19 or int(version) >= 2**63:
            raise ServingError("INVALID_ARGUMENT", "Failed to convert "
                               f"version: {version} to numeric.")
        spec.version.value = int(version)
    return spec


def _as_dict(message):
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True)


def _json(value):
    return json.dumps(value, indent=1).encode()


def _error(message):
    return _json({"error": message})


# --- The server ------------------------------------------------------------


class Server:
    """Serves an `Api` from a thread with an event loop of its own.

    Args:
        api: `Api`.
        host: str.
        port: int. 0 for a free one.

    Attributes:
        address: str. "http://HOST:PORT".

    Raises:
        OSError: if the port is taken.
    """

    def __init__(self, api, host, port):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="rest", daemon=True)
        self._thread.start()
        # A client that goes away takes its waiting request along.
        self._runner = web.AppRunner(
            api.application(), access_log=None, handler_cancellation=True,
            auto_decompress=False, lingering_time=_LINGER_SECONDS,
            shutdown_timeout=GRACE_SECONDS)
        try:
            self._await(self._start(host, port))
        except BaseException:
            self.stop()
            raise
        self.address = "http://{}:{}".format(*self._runner.addresses[0][:2])

    async def _start(self, host, port):
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    def stop(self):
        """Takes no more requests, and answers those it has in its grace."""
        self._await(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _await(self, coroutine):
        return asyncio.run_coroutine_threadsafe(
            coroutine, self._loop).result()
