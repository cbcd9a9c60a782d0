"""TensorFlow Serving's REST routes.

    POST /v1/models/NAME[/versions/N|/labels/LABEL]:predict
    GET  /v1/models/NAME[/versions/N|/labels/LABEL][/metadata]
    GET  /monitoring/prometheus/metrics

An error is {"error": "..."} with the HTTP status for its code.
"""

import asyncio
import threading

from aiohttp import web
from google.protobuf import json_format
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

from serving.standin import prediction, rest_json
from serving.standin.prediction import ServingError

_MODEL = "/v1/models/{name:[^/:]+}"
_CHOICES = ("", "/versions/{version:[0-9]{1,18}}", "/labels/{label:[^/:]+}")

_HTTP = {
    "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400,
    "NOT_FOUND": 404, "RESOURCE_EXHAUSTED": 429, "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504,
}  # all others: 500


class Server:
    """Answers HTTP requests in a thread with its own event loop.

    Args:
        versions: `Versions`.
        work: `Work`.
        metrics: `Metrics`.
        host: str.
        port: int. 0 for a free one.

    Attributes:
        address: str. "http://HOST:PORT".

    Raises:
        OSError: if the port is taken.
    """

    def __init__(self, versions, work, metrics, host, port):
        self._versions = versions
        self._work = work
        self._metrics = metrics
        app = web.Application(
            client_max_size=prediction.MAX_BODY, middlewares=[_refusing])
        app.router.add_get("/monitoring/prometheus/metrics", self._page)
        for choice in _CHOICES:
            app.router.add_post(f"{_MODEL}{choice}:predict", self._predict)
            app.router.add_get(f"{_MODEL}{choice}/metadata", self._metadata)
            app.router.add_get(f"{_MODEL}{choice}", self._status)
        # Cancel a waiting request when its client disconnects.
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True,
            shutdown_timeout=prediction.GRACE_SECONDS)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="rest", daemon=True)
        self._thread.start()
        try:
            self._await(self._start(host, port))
        except BaseException:
            self.stop()
            raise
        self.address = "http://{}:{}".format(*self._runner.addresses[0][:2])

    def stop(self):
        """Refuses new requests and finishes the others in the grace time."""
        self._await(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self, host, port):
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    def _await(self, coroutine):
        return asyncio.run_coroutine_threadsafe(
            coroutine, self._loop).result()

    async def _predict(self, request):
        with self._metrics.recording("REST"):
            body = await request.read()
            answer = await asyncio.wrap_future(
                self._work.submit(self._run, _spec(request), body))
        return web.Response(body=answer, content_type="application/json")

    def _run(self, spec, body):
        """Reads JSON, runs the model and writes JSON, in a thread."""
        document, signature = rest_json.parse(body)
        with self._versions.lease(spec) as (_, model):
            inputs, in_rows = rest_json.inputs(
                document, prediction.definition_of(model, signature))
            outputs = prediction.run(model, signature, inputs)
        return rest_json.dump(outputs, in_rows)

    async def _status(self, request):
        return web.json_response(
            {"model_version_status": self._versions.status(_spec(request))})

    async def _metadata(self, request):
        with self._versions.lease(_spec(request)) as (number, model):
            signatures = json_format.MessageToDict(
                SignatureDefMap(signature_def=model.signatures),
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True)
        return web.json_response({
            "model_spec": {
                "name": self._versions.name, "version": str(number)},
            "metadata": {"signature_def": signatures}})

    async def _page(self, request):
        return web.Response(body=self._metrics.page(),
                            content_type="text/plain")


@web.middleware
async def _refusing(request, handler):
    """Turns a handler's refusals into HTTP errors."""
    try:
        return await handler(request)
    except ServingError as error:
        return web.json_response(
            {"error": error.message}, status=_HTTP.get(error.code, 500))


def _spec(request):
    """Makes a `ModelSpec` from the parts of the path."""
    path = request.match_info
    spec = model_pb2.ModelSpec(name=path["name"])
    if "label" in path:
        spec.version_label = path["label"]
    if "version" in path:
        spec.version.value = int(path["version"])
    return spec
