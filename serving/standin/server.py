"""A stand-in for TensorFlow Serving, for development and tests.

    python -m serving.standin --model-base-path models/tfdivcolor

It speaks what our clients use of TensorFlow Serving's gRPC and REST, over
TensorFlow's own session loader, where tensorflow_model_server cannot be
installed.  In production the engine is TensorFlow Serving.

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
    """A server that runs; made by `start`.

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
        """list of the version numbers being served, newest first."""
        return self._versions.numbers()

    def stop(self):
        """Takes no more requests; answers those it has, in 30 s at most.

        Returns:
            bool. Whether all model runs came to an end.
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
        model_name: str.
        host: str. Address to listen on.
        port: int. For gRPC; 0 for a free one.
        rest_api_port: int. For REST; 0 for a free one.
        poll_seconds: float. Interval at which new versions are looked for.
        labels: dict from a label to a version number. These versions are
            served beside the newest.
        max_concurrency: int. Requests answered at a time, each in a thread.
            Defaults to twice the number of processor cores: JSON of one is
            read while the model runs for another.
        max_queue: int. Further requests that may wait; beyond them the
            answer is UNAVAILABLE (503) at once.
        threads: int or None. Limit on TensorFlow's threads.

    Returns:
        `Standin`.

    Raises:
        ValueError: the folder does not hold what is to be served.
        OSError: a port is taken.
        Exception: what loading or warming up a version raised.
    """
    # Before the model is loaded, which takes its time.
    for name, number in (("port", port), ("rest_api_port", rest_api_port)):
        _check_port(host, name, number)
    # Here, so that --help does not wait for TensorFlow.
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
        # Runs first: neither takes calls while the other finishes its own.
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
        help="folder that holds the versions 1, 2 ...; the newest is served, "
        "and a new one is taken up while requests go on")
    parser.add_argument("--model-name", default="tfdivcolor", metavar="NAME",
                        help="default: %(default)s")
    parser.add_argument("--host", default="127.0.0.1",
                        help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8500, metavar="N",
        help="for gRPC; 0 for a free one (default: %(default)s)")
    parser.add_argument(
        "--rest-api-port", type=int, default=8501, metavar="N",
        help="for REST; 0 for a free one (default: %(default)s)")
    parser.add_argument(
        "--label", type=_label, action="append", default=[],
        metavar="NAME=VERSION", help="name for a version, which is served "
        "beside the newest; may be given several times")
    parser.add_argument(
        "--max-concurrency", type=common.positive, metavar="N",
        help="requests answered at a time (default: twice the number of "
        "cores)")
    parser.add_argument(
        "--max-queue", type=int, default=128, metavar="N",
        help="further requests that may wait; beyond them the answer is "
        "UNAVAILABLE or 503 (default: %(default)s)")
    parser.add_argument("--threads", type=common.positive, metavar="N",
                        help="limit on TensorFlow's threads")
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
    except Exception as error:  # whatever a broken file may bring about
        _LOG.error("%s", " ".join(str(error).split()))
        return 1
    print(f"ready: gRPC {server.grpc_address}, REST {server.rest_address} "
          f"({WHAT})", flush=True)
    stopping.wait()
    if not server.stop():
        # A model run has outlasted its grace. It cannot be ended, only left.
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

