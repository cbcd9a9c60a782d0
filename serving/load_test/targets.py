"""Targets of a load test: a server by REST or gRPC, or the model directly.

Each target makes the message of a request once, with `prepare`, and sends it
any number of times.  It does not retry: every failure counts.
"""

import asyncio
import concurrent.futures
from typing import NamedTuple

from serving.client import rest_client


class Answer(NamedTuple):
    """The answer to a request.

    Attributes:
        code: str. "OK" or a gRPC status.
        pictures: int. Number of encoded pictures in the answer.
        message: str. The server's message if the code is not "OK".
    """

    code: str
    pictures: int = 0
    message: str = ""


class RestTarget:
    """A server by REST, with one connection for each concurrent call.

    Args:
        endpoint: `Endpoint`.
    """

    def __init__(self, endpoint):
        self.name = f"REST {endpoint.server}"
        self._url = f"{endpoint.url}:predict"

    async def __aenter__(self):
        import aiohttp

        self._failure = aiohttp.ClientError
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={**rest_client.HEADERS, "Accept-Encoding": "identity"})
        return self

    async def __aexit__(self, *_):
        await self._session.close()

    def prepare(self, case):
        """The message of a `Case`, for `send`."""
        return rest_client.request_body(case.signature, case.inputs)

    async def send(self, message):
        """Calls the server; returns an `Answer`."""
        try:
            async with self._session.post(self._url, data=message) as answer:
                body = await answer.read()
        except self._failure as error:
            return Answer("UNAVAILABLE", message=str(error))
        if answer.status != 200:
            return Answer(rest_client.code_of(answer.status),
                          message=rest_client.error_message(body))
        # Counting is cheaper than decoding: the test itself must cost little.
        return Answer("OK", body.count(b'"b64"'))


class GrpcTarget:
    """A server by gRPC, over one connection.

    Args:
        endpoint: `Endpoint`.
    """

    def __init__(self, endpoint):
        self.name = f"gRPC {endpoint.server}"
        self._endpoint = endpoint

    async def __aenter__(self):
        import grpc
        from tensorflow_serving.apis import predict_pb2

        from serving.client import grpc_client

        self._failure = grpc.aio.AioRpcError
        self._channel = grpc_client.channel(
            grpc.aio, self._endpoint, grpc_client.channel_options())
        # Messages are already bytes and need no serializer.
        self._predict = self._channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            response_deserializer=predict_pb2.PredictResponse.FromString)
        return self

    async def __aexit__(self, *_):
        await self._channel.close()

    def prepare(self, case):
        """The message of a `Case`, for `send`."""
        from serving.client import grpc_client

        return grpc_client.predict_request(
            self._endpoint, case.signature, case.inputs).SerializeToString()

    async def send(self, message):
        """Calls the server; returns an `Answer`."""
        try:
            answer = await self._predict(message)
        except self._failure as error:
            return Answer(error.code().name, message=error.details() or "")
        return Answer("OK", len(answer.outputs["colorized_bytes"].string_val))


class DirectTarget:
    """The SavedModel in this process, without a server.

    Args:
        path: str or path of a version's folder.
        concurrency: int. Threads that call the model.

    Raises:
        ValueError: if the folder does not hold a SavedModel.
    """

    name = "direct"

    def __init__(self, path, concurrency):
        from tfdivcolor.export.saved_model import Servable

        self._model = Servable(path)
        self._pool = concurrent.futures.ThreadPoolExecutor(concurrency)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self._pool.shutdown()
        self._model.close()

    def prepare(self, case):
        """The message of a `Case`, for `send`."""
        return case.signature, case.inputs

    async def send(self, message):
        """Calls the model; returns an `Answer`."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, self._run, *message)

    def _run(self, signature, inputs):
        import tensorflow as tf

        try:
            outputs = self._model.run(signature, inputs)
        except tf.errors.OpError as error:
            return Answer(_code_name(error), message=error.message)
        pictures = outputs.get("colorized_bytes")
        return Answer("OK", 0 if pictures is None else pictures.size)


def _code_name(error):
    from tensorflow.core.protobuf import error_codes_pb2

    return error_codes_pb2.Code.Name(error.error_code)
