"""Starts the studio: data folder, port, networks and page."""

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
_TRIED = 10  # ports to try if the user names none
_REST = 0.7  # seconds without a request before the server compiles a graph


def serve(photos: Sequence[Path], sources: Sequence[str], weights: str,
          load: Callable[[], Model], host: str = HOST,
          port: int | None = None, browse: bool = True) -> None:
    """Serves the studio until Ctrl-C.

    Args:
        photos: list of Path. The photographs of the strip.
        sources: list of str. Arguments of the command line that named them.
        weights: str. Name of the weights.
        load: function without arguments that loads the networks. It runs on
            a thread while the server answers.
        host: str. Address at which the server listens.
        port: int, 0 for any free port. None stands for `PORT`, or the next
            free port.
        browse: bool. Whether to open the page in a browser.

    Raises:
        ImageError: the data folder cannot be written, the host is not an
            address of this machine, or the port is not free.
        Exception: the exception of `load`.
    """
    os.umask(0o077)  # only this user may read the studio's files
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
            report(f"the studio listens at {host}: anyone with the printed "
                   "address can open, add and download photographs; the "
                   "connection is not encrypted")
        with contextlib.suppress(KeyboardInterrupt):  # the usual end
            asyncio.run(_run(server, listener, worker, browse and address))
    print(f"studio stopped; your work is saved in {folder}")


class _Server(uvicorn.Server):
    """A uvicorn server that stops without tracebacks of open requests."""

    async def shutdown(self, sockets=None):
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


async def _warm(worker):
    """Loads the networks, then compiles graphs between requests."""
    await worker.wait()
    # A waiting page requests the first kind at once, so do not pause before.
    for number, call in enumerate(easel.warm_ups(worker.loaded.colorizer)):
        if number:
            await worker.rest(_REST)
        await worker.run(lambda _, call=call: call())


async def _run(server, listener, worker, address):
    """Serves until the server stops or the networks fail to load."""
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
    """The folder of histories and added photographs.

    The function creates the folder, readable by this user only.

    Returns:
        Path.

    Raises:
        ImageError: the folder cannot be created or written.
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
    """Opens a listening socket before the slow parts of the start."""
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
            # Listen at once, so that a second studio finds the port taken.
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
    """The host for the printed address."""
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
