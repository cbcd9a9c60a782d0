"""TensorFlow Serving's REST interface, without TensorFlow.

Requests use the column format, which allows scalars.  Pictures travel as
base64.
"""

import base64
import json
import random
import time
from http import HTTPStatus

import numpy as np
import urllib3

from serving.client.endpoint import FIRST_PAUSE, LONGEST_PAUSE, PAUSE_FACTOR

# TensorFlow Serving's HTTP status for each gRPC status. Several gRPC statuses
# share 400; the client reports INVALID_ARGUMENT for all of them.
CODES = {
    HTTPStatus.BAD_REQUEST: "INVALID_ARGUMENT",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.CONFLICT: "ABORTED",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "RESOURCE_EXHAUSTED",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_EXHAUSTED",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL",
    HTTPStatus.NOT_IMPLEMENTED: "UNIMPLEMENTED",
    HTTPStatus.SERVICE_UNAVAILABLE: "UNAVAILABLE",
    HTTPStatus.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED",
}
HEADERS = {"Content-Type": "application/json"}

_SHOWN = 300  # characters shown of an answer that is not JSON


class RestClient:
    """Calls a model by REST.  Threads may share one client.

    Args:
        endpoint: `Endpoint`.
    """

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self._pool = urllib3.PoolManager(maxsize=8)

    def signatures(self):
        """Asks for the model's signatures.

        Returns:
            dict from a signature's name to a dict from an input's or output's
            name to its shape, a list of int; -1 is a variable size.

        Raises:
            ServerError: as in `predict`.
        """
        body = self._call("GET", "/metadata")
        try:
            found = json.loads(body)["metadata"]["signature_def"]
            return {name: {tensor: [int(dim["size"]) for dim in
                                    info["tensor_shape"].get("dim", ())]
                           for side in ("inputs", "outputs")
                           for tensor, info in signature.get(side, {}).items()}
                    for name, signature in found["signature_def"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._not_understood(body) from None

    def predict(self, signature, inputs):
        """Calls a signature that has more than one output.

        Args:
            signature: str.
            inputs: dict from every input's name to a list of bytes, or to an
                array of the input's type.

        Returns:
            dict from an output's name to its values in nested lists.

        Raises:
            ServerError: if the server refuses the call, does not answer, or
                does not answer as TensorFlow Serving does.
        """
        body = self._call("POST", ":predict", request_body(signature, inputs))
        try:
            # Python reads the server's Infinity and NaN.
            outputs = json.loads(body, object_hook=_decoded)["outputs"]
        except (ValueError, KeyError, TypeError):
            outputs = None
        if not isinstance(outputs, dict):
            raise self._not_understood(body)
        return outputs

    def close(self):
        """Closes the connections."""
        self._pool.clear()

    def _call(self, method, path, body=None):
        # This loop replaces urllib3's Retry, which has no deadline for all
        # attempts together and repeats calls that timed out.
        end = time.monotonic() + self.endpoint.timeout
        for attempt in range(1, self.endpoint.max_attempts + 1):
            try:
                answer = self._pool.request(
                    method, self.endpoint.url + path, body=body,
                    headers={**HEADERS, **self.endpoint.headers},
                    retries=False, redirect=False,
                    timeout=urllib3.Timeout(
                        total=max(end - time.monotonic(), 1e-3)))
            except urllib3.exceptions.ReadTimeoutError:
                raise self.endpoint.error(
                    "DEADLINE_EXCEEDED", "no answer within "
                    f"{self.endpoint.timeout:g} seconds") from None
            except urllib3.exceptions.HTTPError as error:
                failure = self.endpoint.error("UNAVAILABLE", str(error))
            else:
                if answer.status == HTTPStatus.OK:
                    return answer.data
                failure = self.endpoint.error(
                    code_of(answer.status), error_message(answer.data))
                if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                    raise failure
            # Random, so that clients do not all return at once.
            pause = random.uniform(0.8, 1.2) * min(
                FIRST_PAUSE * PAUSE_FACTOR ** (attempt - 1), LONGEST_PAUSE)
            if (attempt == self.endpoint.max_attempts
                    or time.monotonic() + pause > end):
                raise failure
            time.sleep(pause)

    def _not_understood(self, body):
        return self.endpoint.error(
            "INTERNAL", "must answer as TensorFlow Serving does "
            f"(received {_text(body)!r})")


def request_body(signature, inputs):
    """Makes a call's JSON; arguments as in `RestClient.predict`.

    Returns:
        bytes.
    """
    return json.dumps({
        "signature_name": signature,
        "inputs": {name: _encoded(value) for name, value in inputs.items()},
    }).encode()


def code_of(status):
    """The gRPC status for an HTTP status, or "HTTP nnn"."""
    return CODES.get(status, f"HTTP {status}")


def error_message(body):
    """The message in an error's body, or the body itself if it is not JSON."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):  # a proxy's page
        return _text(body)


def _text(body):
    return " ".join(body.decode(errors="replace").split())[:_SHOWN]


def _encoded(value):
    if isinstance(value, list):
        return [{"b64": base64.b64encode(item).decode()} for item in value]
    return np.asarray(value).tolist()


def _decoded(found):
    """Undoes `_encoded`, for `json.loads`."""
    return base64.b64decode(found["b64"]) if set(found) == {"b64"} else found
