"""Which model a client calls, where, and how a refusal looks in Python."""

import re
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

# gRPC tries no call more often than five times.
MAX_ATTEMPTS = 5
# Seconds before the second attempt, factor to the next, and the largest.
FIRST_PAUSE, PAUSE_FACTOR, LONGEST_PAUSE = 0.1, 3, 5.0

_GRPC_BY_TLS = "grpcs://"

# What TensorFlow puts around the message of a check in the model.
_CHECK = re.compile(r"assertion failed: \[(.*?)\](?:\s*\[\[|\s*$)", re.DOTALL)


class ServerError(Exception):
    """The server refused a call, or there was no answer; one line.

    Attributes:
        code: str. A gRPC status, for REST too: "INVALID_ARGUMENT" (400),
            "NOT_FOUND" (404), "UNAVAILABLE" (503, or no connection),
            "DEADLINE_EXCEEDED" and so on.
        message: str. The server's own words; those of a check in the model
            without what TensorFlow puts around them.
        where: str. The server, or the picture that the message is about.
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
        server: str. "http://HOST:PORT" or "https://HOST", with a path before
            /v1 if a proxy wants one: REST.  "HOST:PORT": gRPC;
            "grpcs://HOST:PORT": by TLS.
        model: str. The model's name there.
        version: int or None. None for the server's own choice: the newest.
        label: str or None. Instead of a version, such as "stable".
        timeout: float. Seconds for a call, further attempts included; by
            REST an answer that has begun to arrive in time may end later.
        api_key: str or None. For a proxy that wants one: it goes as header
            X-Api-Key, or as gRPC metadata.
        max_attempts: int, 1 to `MAX_ATTEMPTS`. Tries of a call while the
            server is not there or too busy (UNAVAILABLE, 503); other errors
            are final.

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
                "version or label must be given, not both "
                f"(received {self.version} and {self.label!r})")
        if not 0 < self.timeout < float("inf"):
            raise ValueError("timeout must be a number of seconds above 0 "
                             f"(received {self.timeout})")
        if not 1 <= self.max_attempts <= MAX_ATTEMPTS:
            raise ValueError(f"max_attempts must be 1 to {MAX_ATTEMPTS} "
                             f"(received {self.max_attempts})")

    @property
    def is_rest(self):
        """Whether the address is one for REST; otherwise for gRPC."""
        return self.server.startswith(("http://", "https://"))

    @property
    def grpc_address(self):
        """HOST:PORT of a server that is called by gRPC."""
        return self.server.removeprefix(_GRPC_BY_TLS)

    @property
    def is_grpc_by_tls(self):
        """Whether gRPC goes by TLS."""
        return self.server.startswith(_GRPC_BY_TLS)

    @property
    def headers(self):
        """dict of what goes with every call, HTTP headers or metadata."""
        return {"x-api-key": self.api_key} if self.api_key else {}

    @property
    def host(self):
        """Name or number of the machine; "" where the address is none."""
        try:
            parts = urlsplit(
                self.server if self.is_rest else f"//{self.grpc_address}")
            complete = self.is_rest or (parts.port and not parts.path)
        except ValueError:  # a port that is no number
            return ""
        return (parts.hostname or "") if complete else ""

    @property
    def url(self):
        """What the REST routes of the model begin with."""
        url = f"{self.server.rstrip('/')}/v1/models/{quote(self.model, '')}"
        if self.version is not None:
            url += f"/versions/{self.version}"
        if self.label is not None:
            url += f"/labels/{quote(self.label, '')}"
        return url

    def error(self, code, message):
        """A `ServerError` of this server."""
        return ServerError(code, message, self.server)
