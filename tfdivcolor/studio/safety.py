"""Checks of every request: its host, its origin, its token and its size.

A web page that a user visits can send requests to this machine, and can give
the machine a name of its own (DNS rebinding).  So every request must name this
server as its host, come from the studio's own page, and carry the token of
the printed address.  The page holds the token in a cookie that scripts cannot
read, as in Jupyter.
"""

import hmac
import ipaddress
import os
import secrets
import socket
import urllib.parse
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOAD_BYTES = 128 << 20  # limit for an added photograph
BODY_BYTES = 4 << 20  # limit for any other request

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'")
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class TooLarge(Exception):
    """The body of a request has more bytes than its limit, the argument."""


def token(folder: Path) -> str:
    """Reads the studio's token, or makes it.

    The token stays the same, so open pages continue after a restart.

    Args:
        folder: Path. The studio's data folder.

    Returns:
        str, at least 32 characters.

    Raises:
        OSError: the token cannot be written.
    """
    path = folder / "token"
    try:
        found = path.read_text("ascii").strip()
        if len(found) >= 32:
            return found
    except (OSError, ValueError):
        pass
    found = secrets.token_urlsafe(32)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
              "w") as file:
        file.write(found)
    return found


class Guard:
    """ASGI middleware that allows requests from the studio's own page only.

    Args:
        app: ASGI application that answers allowed requests.
        token: str.
        host: str. The address at which the server listens.
        port: int. The port at which the server listens.
    """

    def __init__(self, app: ASGIApp, token: str, host: str, port: int):
        self._app, self._token = app, token
        self._host, self._port = host, port
        # Browsers share cookies between ports.
        self._cookie = f"tfdivcolor_studio_{port}"

    async def __call__(self, scope: Scope, receive: Receive,
                       send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no websockets
            return
        headers = Headers(scope=scope)
        refused = self._refused(scope, headers)
        if refused is not None:
            await refused(scope, receive, _with_headers(send))
            return
        limit = (UPLOAD_BYTES if (scope["method"], scope["path"])
                 == ("POST", "/api/photos") else BODY_BYTES)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            await too_large(limit)(scope, receive, _with_headers(send))
            return
        await self._app(scope, _limited(receive, limit), _with_headers(send))

    def _refused(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to a refused request; None for an allowed one."""
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_own(host):
            return _error(403, "host", "the studio accepts requests at its "
                          "own address only")
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return _error(403, "origin",
                          "the studio accepts requests from its own page only")
        is_start = scope["path"] == "/" and scope["method"] == "GET"
        if is_start:
            given = dict(urllib.parse.parse_qsl(
                scope["query_string"].decode("latin-1"))).get("token")
            if given is not None and self._is_token(given):
                return self._with_cookie(headers)
        # Other pages may link to the studio, but not load anything from it.
        elif headers.get("sec-fetch-site", "none") not in (
                "same-origin", "none"):
            return _error(403, "origin",
                          "the studio accepts requests from its own page only")
        if not self._is_token(self._of_cookie(headers)):
            if is_start:
                return Response(
                    "Open the full address that tfdivcolor studio printed. "
                    "It contains the token that this page needs.\n", 403,
                    media_type="text/plain; charset=utf-8")
            return _error(403, "token", "open the full address that "
                          "tfdivcolor studio printed")
        return None

    def _is_own(self, host: str) -> bool:
        """Whether a Host header names this server."""
        try:
            parts = urllib.parse.urlsplit(f"//{host}")
            name, port = parts.hostname, parts.port or 80
        except ValueError:
            return False
        if name is None or "@" in host or port != self._port:
            return False
        if name in _LOOPBACK or name == self._host:
            return True
        if self._host in _LOOPBACK:
            return False
        if name == socket.gethostname().lower():  # the printed address has it
            return True
        try:  # DNS rebinding needs a name, never a numeric address
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"),
                                   self._token.encode())

    def _of_cookie(self, headers: Headers) -> str:
        for header in headers.getlist("cookie"):
            for part in header.split(";"):
                name, _, value = part.strip().partition("=")
                if name == self._cookie:
                    return value
        return ""

    def _with_cookie(self, headers: Headers) -> Response:
        """Sets the cookie and redirects to the address without the token.

        The redirect keeps the token out of the browser's history.
        """
        answer: Response = RedirectResponse("/", 303)
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            # After a link on another page, a redirect would arrive without
            # the cookie. A page of the studio sends the cookie.
            answer = Response(
                '<!DOCTYPE html><title>tfdivcolor studio</title>'
                '<meta http-equiv="refresh" content="0;url=/">',
                media_type="text/html; charset=utf-8")
        answer.set_cookie(self._cookie, self._token, httponly=True,
                          samesite="strict", path="/",
                          max_age=365 * 24 * 3600)
        return answer


def _error(status, code, text):
    return JSONResponse({"error": text, "code": code}, status)


def too_large(limit: int) -> Response:
    """The answer to a request that exceeds its limit, in bytes."""
    return JSONResponse(
        {"error": f"request must have at most {limit >> 20} MB",
         "code": "large"}, 413, {"Connection": "close"})


def _limited(receive: Receive, limit: int) -> Receive:
    """Limits a body whose length the headers do not state."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise TooLarge(limit)
        return message

    return counted


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
