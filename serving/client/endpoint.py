"""The model that a client calls, its server, and the server's errors."""

import re
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

# gRPC limits the attempts of a call to five.
MAX_ATTEMPTS = 5
# Pause before the second attempt in seconds, factor to the next pause, and
# the longest pause.
FIRST_PAUSE, PAUSE_FACTOR, LONGEST_PAUSE = 0.1, 3, 5.0

_GRPC_BY_TLS = "grpcs://"

# TensorFlow's text around the message of a check in the model.
_CHECK = re.compile(r"assertion failed: \[(.*?)\](?:\s*\[\[|\s*$)", re.DOTALL)


class ServerError(Exception):
    """The server refused a call or did not answer. The message is one line.

    Attributes:
        code: str. A gRPC status, for REST too: "INVALID_ARGUMENT" (400),
            "NOT_FOUND" (404), "UNAVAILABLE" (503, or no connection),
            "DEADLINE_EXCEEDED" and so on.
        message: str. The server's message. For a check in the model: the
            check's message without TensorFlow's text around it.
        where: str. The server, or the picture at fault.
    """

    def __init__(self, code, message, where):
        check = _CHECK.search(message)
        self.code = code
        self.message = " ".join((check[1] if check else message).split())
        self.where = where
        super().__init__(f"{where}: {code}: {self.message}")


@dataclass(frozen=True)
class Endpoint:
    """A model on a server.

    Attributes:
        server: str. For REST "http://HOST:PORT" or "https://HOST", with a
            path before /v1 if a proxy needs one; for gRPC "HOST:PORT", or
            "grpcs://HOST:PORT" with TLS.
        model: str. The model's name on the server. Defaults to "tfdivcolor".
        version: int or None. Defaults to None, the newest version.
        label: str or None. Label of a version, such as "stable", instead of
            its number.
        timeout: float. Time limit of a call in seconds, with all attempts.
            With REST, an answer that begins in time may end later. Defaults
            to 60.
        api_key: str or None. Key for a proxy, sent as header X-Api-Key or as
            gRPC metadata.
        max_attempts: int, 1 to `MAX_ATTEMPTS`. Attempts of a call while the
            server is down or busy (UNAVAILABLE, 503). Other errors are
            final. Defaults to 4.

    Raises:
        ValueError: if a value is outside its range.
    """

    server: str
    model: str = "tfdivcolor"
    version: int | None = None
    label: str | None = None
    timeout: float = 60.0
    max_attempts: int = 4
    api_key: str | None = field(default=None, repr=False)

    def __post_init__(self):
        if not self.host:
            raise ValueError(
                "server must be http[s]://HOST:PORT (REST), or HOST:PORT or "
                "grpcs://HOST:PORT (gRPC) "
                f"(received {self.server!r})")
        if self.version is not None and self.label is not None:
            raise ValueError(
                "version and label must not both be given "
                f"(received {self.version} and {self.label!r})")
        if not 0 < self.timeout < float("inf"):
            raise ValueError("timeout must be a number of seconds above 0 "
                             f"(received {self.timeout})")
        if not 1 <= self.max_attempts <= MAX_ATTEMPTS:
            raise ValueError(f"max_attempts must be 1 to {MAX_ATTEMPTS} "
                             f"(received {self.max_attempts})")

    @property
    def is_rest(self):
        """Whether the address is for REST; otherwise it is for gRPC."""
        return self.server.startswith(("http://", "https://"))

    @property
    def grpc_address(self):
        """HOST:PORT of a gRPC server."""
        return self.server.removeprefix(_GRPC_BY_TLS)

    @property
    def is_grpc_by_tls(self):
        """Whether gRPC uses TLS."""
        return self.server.startswith(_GRPC_BY_TLS)

    @property
    def headers(self):
        """dict of HTTP headers, or gRPC metadata, for every call."""
        return {"x-api-key": self.api_key} if self.api_key else {}

    @property
    def host(self):
        """Host name or IP address; "" if the address is invalid."""
        try:
            parts = urlsplit(
                self.server if self.is_rest else f"//{self.grpc_address}")
            complete = self.is_rest or (parts.port and not parts.path)
        except ValueError:  # the port is not a number
            return ""
        return (parts.hostname or "") if complete else ""

    @property
    def url(self):
        """The common start of the model's REST routes."""
        url = f"{self.server.rstrip('/')}/v1/models/{quote(self.model, '')}"
        if self.version is not None:
            url += f"/versions/{self.version}"
        if self.label is not None:
            url += f"/labels/{quote(self.label, '')}"
        return url

    def error(self, code, message):
        """Makes a `ServerError` of this server."""
        return ServerError(code, message, self.server)
