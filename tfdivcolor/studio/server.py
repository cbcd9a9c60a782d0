"""Starts the studio: its data folder, its port, its networks, its page."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import socket
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

import platformdirs
import uvicorn

from tfdivcolor.studio import app, easel, safety
from tfdivcolor.studio.desk import Desk, Model
from tfdivcolor.studio.strip import Strip
from tfdivcolor.studio.worker import Worker
from tfdivcolor.utils.errors import ImageError, reason
from tfdivcolor.utils.messages import report

PORT = 8765
HOST = "127.0.0.1"
_TRIED = 10  # ports, where none is asked for
_REST = 0.7  # seconds without a request, before a graph is made ahead


def serve(photos: Sequence[Path], sources: Sequence[str], weights: str,
          load: Callable[[], Model], host: str = HOST,
          port: int | None = None, browse: bool = True) -> None:
    """Serves the studio until Ctrl-C.

    Args:
        photos: list of Path. The photographs of the strip.
        sources: list of str. What the command line had in their place.
        weights: str. The weights' name.
        load: function without arguments that loads the networks; it is run
            beside the server.
        host: str. Address to listen at.
        port: int, 0 for any that is free; or None for `PORT`, or one of those
            after it if that is taken.
        browse: bool. Whether to open the page in a browser.

    Raises:
        ImageError: the data folder cannot be written, or there is no such
            address or free port.
        Exception: what `load` raises.
    """
    os.umask(0o077)  # what it stores is this user's alone
    folder = data_folder()
    with _listening(host, port) as listener:
        taken: int = listener.getsockname()[1]
        worker = Worker(load)
        desk = Desk(folder, Strip(folder, photos, sources), worker, weights)
        token = safety.token(folder)
        guarded = safety.Guard(app.build(desk), token, host, taken)
        server = _Server(uvicorn.Config(
            guarded, log_level="warning", access_log=False,
            server_header=False, date_header=False, lifespan="on",
            timeout_graceful_shutdown=2, http="h11", ws="none"))
        shown = _shown(host)
        address = f"http://{shown}:{taken}/?token={token}"
        print(f"studio at {address}", flush=True)
        if not _is_loopback(host):
            report(f"the studio listens at {host}: whoever has this address "
                   "with its token can open, add and take photographs; "
                   "nothing is encrypted on the way")
        with contextlib.suppress(KeyboardInterrupt):  # the usual end
            asyncio.run(_run(server, listener, worker, browse and address))
    print(f"the studio has ended; its histories are in {folder}")


class _Server(uvicorn.Server):
    """uvicorn's, which ends without tracebacks of what it cuts short."""

    async def shutdown(self, sockets=None):
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


async def _warm(worker):
    """Loads the networks, then makes graphs between the page's requests."""
    await worker.wait()
    # The first is what a waiting page asks for at once.
    for number, call in enumerate(easel.warm_ups(worker.loaded.colorizer)):
        if number:
            await worker.rest(_REST)
        await worker.run(lambda _, call=call: call())


async def _run(server, listener, worker, address):
    """Serves until the server is stopped, or the networks do not load."""
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    loading = asyncio.ensure_future(_warm(worker))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    if address and not serving.done():
        await asyncio.to_thread(webbrowser.open, address)
    await asyncio.wait([serving, loading],
                       return_when=asyncio.FIRST_COMPLETED)
    if loading.done() and loading.exception():
        server.should_exit = True
    await serving
    if loading.done():
        loading.result()
    else:
        loading.cancel()


def data_folder() -> Path:
    """Where the studio keeps histories and added photographs.

    Made if it is not there, for this user alone.

    Raises:
        ImageError: it cannot be made or written.
    """
    folder = platformdirs.user_data_path("tfdivcolor", appauthor=False
                                         ) / "studio"
    try:
        for part in (folder, folder / "sessions", folder / "added"):
            part.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise ImageError(f"{folder}: must be a folder that can be written "
                         f"(received {reason(error)})") from error
    return folder


@contextlib.contextmanager
def _listening(host, port):
    """A socket that listens, before anything else is begun."""
    ports = range(PORT, PORT + _TRIED) if port is None else [port]
    try:
        family, *_, (address, *_) = socket.getaddrinfo(
            host, None, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ImageError(f"--host must be an address of this machine "
                         f"(received {host}: {reason(error)})") from error
    failure = None
    for tried in ports:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, tried))
            # At once, so that a second studio sees that it is taken.
            listener.listen(128)
        except OSError as error:
            listener.close()
            failure = error
            continue
        with listener:
            yield listener
        return
    if getattr(failure, "errno", None) == errno.EADDRNOTAVAIL:
        raise ImageError(f"--host must be an address of this machine "
                         f"(received {host})") from failure
    shown = ports[0] if len(ports) == 1 else f"{ports[0]} to {ports[-1]}"
    raise ImageError(f"--port must be free (received {shown} at {host}: "
                     f"{reason(failure or OSError())})") from failure


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(host):
    """The host as an address has it."""
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
