"""A stand-in for TensorFlow Serving, for development and tests.

    python -m serving.standin --model-base-path models/tfdivcolor

It answers the gRPC and REST calls of TensorFlow Serving that our clients use,
and runs the model in TensorFlow's own session loader.  Use it where
tensorflow_model_server cannot be installed.  In production use TensorFlow
Serving.

From Python, in threads of the same process:

    from serving import standin
    with standin.start("models/tfdivcolor") as server:
        print(server.rest_address, server.grpc_address)
"""

import argparse
import contextlib
import logging
import os
import signal
import socket
import threading

from tfdivcolor.cli import common
from tfdivcolor.utils.errors import reason

_LOG = logging.getLogger("serving.standin")

WHAT = "stand-in for development and tests, not TensorFlow Serving"


class Standin:
    """A running server. `start` makes it.

    Attributes:
        model_name: str.
        grpc_address: str. "HOST:PORT".
        rest_address: str. "http://HOST:PORT".
    """

    def __init__(self, versions, grpc_address, rest_address, stack):
        self.model_name = versions.name
        self.grpc_address = grpc_address
        self.rest_address = rest_address
        self._versions = versions
        self._stack = stack

    def versions(self):
        """Returns the served version numbers, list of int, newest first."""
        return self._versions.numbers()

    def stop(self):
        """Refuses new requests and finishes the others within 30 s.

        Returns:
            bool. True if all model runs ended.
        """
        self._stack.close()
        return self._versions.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def start(model_base_path, *, model_name="tfdivcolor", host="127.0.0.1",
          port=0, rest_api_port=0, poll_seconds=1.0, labels=None,
          max_concurrency=None, max_queue=128, threads=None):
    """Starts both servers; returns when they answer.

    Args:
        model_base_path: path of the folder that holds 1/, 2/ and so on.
        model_name: str. Defaults to "tfdivcolor".
        host: str. Address to listen on. Defaults to 127.0.0.1.
        port: int. gRPC port. Defaults to 0, a free port.
        rest_api_port: int. REST port. Defaults to 0, a free port.
        poll_seconds: float. Interval of the search for new versions. Defaults
            to 1.
        labels: dict from a label to a version number, or None. The server
            serves these versions besides the newest.
        max_concurrency: int. Requests to answer at a time, each in a thread.
            Defaults to twice the number of processor cores, so that the
            server reads one request's JSON while the model runs another.
        max_queue: int. Further requests that may wait. All others get
            UNAVAILABLE (503) at once. Defaults to 128.
        threads: int or None. Limit on TensorFlow's threads. Defaults to None,
            no limit.

    Returns:
        `Standin`.

    Raises:
        ValueError: if the folder lacks a version to serve.
        OSError: if a port is taken.
        Exception: any exception of loading or warming up a version.
    """
    # Check before loading the model, which takes time.
    for name, number in (("port", port), ("rest_api_port", rest_api_port)):
        _check_port(host, name, number)
    # Imported here so that --help does not wait for TensorFlow.
    from serving.standin import grpc_service, rest
    from serving.standin.metrics import Metrics
    from serving.standin.prediction import Work
    from serving.standin.versions import Versions

    with contextlib.ExitStack() as stack:
        versions = Versions(model_name, model_base_path, labels, threads)
        stack.callback(versions.stop)
        if max_concurrency is None:
            max_concurrency = 2 * os.cpu_count()
        work = Work(max_concurrency, max_queue)
        stack.callback(work.close)
        metrics = Metrics(model_name)
        grpc_server = grpc_service.Server(
            versions, work, metrics, host, port)
        stack.callback(lambda: grpc_server.stop().wait())
        rest_server = rest.Server(
            versions, work, metrics, host, rest_api_port)
        stack.callback(rest_server.stop)
        # The stack runs this first, so that neither server accepts calls while
        # the other finishes.
        stack.callback(grpc_server.stop)
        versions.watch(poll_seconds)
        return Standin(versions, grpc_server.address, rest_server.address,
                       stack.pop_all())


def _check_port(host, name, number):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except (OSError, OverflowError) as error:
            raise OSError(f"{name}: must be a free port of {host} (received "
                          f"{number}: {reason(error)})") from error


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m serving.standin", description="Serves an exported "
        f"model like TensorFlow Serving: a {WHAT}.")
    parser.add_argument(
        "--model-base-path", required=True, metavar="DIR",
        help="folder with the versions 1, 2 ...; the server serves the newest "
        "and loads a new version while it answers requests")
    parser.add_argument("--model-name", default="tfdivcolor", metavar="NAME",
                        help="the model's name (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1",
                        help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8500, metavar="N",
        help="gRPC port; 0 for a free port (default: %(default)s)")
    parser.add_argument(
        "--rest-api-port", type=int, default=8501, metavar="N",
        help="REST port; 0 for a free port (default: %(default)s)")
    parser.add_argument(
        "--label", type=_label, action="append", default=[],
        metavar="NAME=VERSION", help="also serve this version, under a name; "
        "repeat for several labels")
    parser.add_argument(
        "--max-concurrency", type=common.positive, metavar="N",
        help="requests to answer at a time (default: twice the number of "
        "cores)")
    parser.add_argument(
        "--max-queue", type=int, default=128, metavar="N",
        help="further requests that may wait; the server refuses all others "
        "with UNAVAILABLE or 503 (default: %(default)s)")
    parser.add_argument("--threads", type=common.positive, metavar="N",
                        help="limit on TensorFlow's threads (default: none)")
    return parser


def _label(text):
    name, equals, version = text.partition("=")
    if not (name and equals and version.isdecimal()):
        raise argparse.ArgumentTypeError(
            f"must be NAME=VERSION (received {text!r})")
    return name, int(version)


def main(arguments=None):
    """Runs the command; returns its exit code."""
    options = vars(_parser().parse_args(arguments))
    options["labels"] = dict(options.pop("label"))
    _start_log()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        common.start_tensorflow()
        server = start(**options)
    except Exception as error:  # a broken file may raise any exception
        _LOG.error("%s", " ".join(str(error).split()))
        return 1
    print(f"ready: gRPC {server.grpc_address}, REST {server.rest_address} "
          f"({WHAT})", flush=True)
    stopping.wait()
    if not server.stop():
        # A model run outlasts the grace time. Only an exit can end it.
        _LOG.error("stopped in the middle of a request")
        os._exit(0)
    return 0


def _start_log():
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("standin: %(message)s"))
    log = logging.getLogger("serving")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)

