"""Measures throughput and latency of a server, or of the model without one.

    python -m serving.load_test photo.jpg                  # closed loop, REST
    python -m serving.load_test photo.jpg --rate 5         # open loop
    python -m serving.load_test photo.jpg --model models/tfdivcolor/1 \\
        --server http://127.0.0.1:8501 --server 127.0.0.1:8500
    python -m serving.load_test photo.jpg --mixed --duration 600 --rounds 1

Several targets take turns, round by round, so that other work on the machine
affects all of them alike.  Exit codes: 0 all answers were as expected; 1 some
were not, or the test could not run; 2 wrong arguments; 130 stopped.
"""

import argparse
import asyncio
import contextlib
import ipaddress
import itertools
import json
import os
from pathlib import Path

import numpy as np
from tqdm import tqdm

from serving import client
from serving.client import command as client_command, upload
from serving.client.endpoint import Endpoint, ServerError
from serving.load_test import (
    cases as load_cases,
    loops as load_loops,
    report as load_report,
    targets as load_targets,
)
from tfdivcolor.cli import common
from tfdivcolor.coloring import listing
from tfdivcolor.utils import files, messages


def main(arguments=None):
    """Runs the command; returns its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        endpoints = _endpoints(options)
    except ValueError as error:
        parser.error(str(error))
    pictures, failed, _ = listing.find_pictures(options.paths)
    if failed:
        return 1
    try:
        if options.model:
            common.start_tensorflow()
        elif not all(endpoint.is_rest for endpoint in endpoints):
            client_command.start_tensorflow()
        photos = [upload.encode(path) for path, _ in pictures]
        cases = _cases(options, endpoints[0], photos)
        phases = asyncio.run(_measure(options, endpoints, cases))
        summaries = _summaries(phases)
        print(load_report.table(summaries))
        _write(options, summaries, phases)
    except (ServerError, ValueError, OSError, ImportError) as error:
        messages.report(error)
        return 1
    except KeyboardInterrupt:
        messages.report("stopped")
        return 130
    return 1 if any(summary["errors"] for summary in summaries) else 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m serving.load_test", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("paths", nargs="+", metavar="PATH", help="photographs to send")
    add("--server", action="append", metavar="ADDRESS",
        help="http://HOST:PORT for REST, HOST:PORT for gRPC; repeat for "
        f"several servers (default: {client.DEFAULT_SERVER})")
    add("--model-name", default=Endpoint.model, metavar="NAME",
        help="the model's name on the server (default: %(default)s)")
    add("--model", metavar="DIR", help="folder of the same model's version; "
        "also calls the model directly, from --concurrency threads, and prints "
        "the throughput of each server relative to these calls")
    add("--allow-remote", action="store_true",
        help="allow servers on other machines; ask their owners first")
    add("--concurrency", type=_positive(int), default=8, metavar="N",
        help="number of callers in the closed loop (default: %(default)s)")
    add("--rate", type=_positive(float), metavar="R",
        help="open loop: R requests per second on average, at random times "
        "(Poisson)")
    add("--duration", type=_positive(float), default=10.0, metavar="SECONDS",
        help="length of a target's round (default: %(default)s)")
    add("--requests", type=_positive(int), metavar="N",
        help="end a target's round after N requests, if that is sooner")
    add("--rounds", type=_positive(int), default=3, metavar="N",
        help="rounds of each target (default: %(default)s)")
    add("--warm-up", type=_positive(float), default=2.0, metavar="SECONDS",
        help="unmeasured time before the rounds, for each target (default: "
        "%(default)s)")
    add("--timeout", type=_positive(float), default=60.0, metavar="SECONDS",
        help="time after which a request counts as failed (default: "
        "%(default)s)")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "-n", "--num-samples", type=_positive(int), metavar="N",
        help="call colorize_n for N colourings (default: call colorize)")
    kind.add_argument(
        "--mixed", action="store_true", help="send requests of several "
        "signatures and sizes, and bad requests, which the server must refuse")
    add("--seed", type=int, default=0, metavar="N",
        help="seed of arrivals and mixture (default: %(default)s)")
    add("--json", type=Path, metavar="FILE",
        help="also write the numbers to FILE")
    add("--plot", type=Path, metavar="FILE",
        help="also write a figure, a PNG file")
    return parser


def _positive(kind):
    def parse(text):
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(
                f"must be above 0 (received {text})")
        return value
    parse.__name__ = kind.__name__  # for argparse's "invalid int value"
    return parse


def _endpoints(options):
    endpoints = [
        Endpoint(server, options.model_name, timeout=options.timeout)
        for server in options.server or [client.DEFAULT_SERVER]]
    if len(set(endpoints)) < len(endpoints):
        raise ValueError("--server must name each server once "
                         f"(received {', '.join(options.server)})")
    for endpoint in endpoints:
        if not (options.allow_remote or _is_loopback(endpoint.host)):
            raise ValueError(
                "--server must be on this machine unless --allow-remote is "
                f"given (received {endpoint.server})")
    return endpoints


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _cases(options, endpoint, photos):
    transport = client.transport_to(endpoint)
    try:
        signatures = transport.signatures()
    finally:
        transport.close()
    if options.mixed:
        return load_cases.mixed(photos, signatures)
    return load_cases.plain(photos, signatures, options.num_samples)


async def _measure(options, endpoints, cases):
    """Runs warm-up and all rounds.

    Returns:
        dict from a target's name to its list of `Phase`.
    """
    targets = [
        (load_targets.RestTarget if endpoint.is_rest
         else load_targets.GrpcTarget)(endpoint) for endpoint in endpoints]
    if options.model:
        targets.append(load_targets.DirectTarget(
            options.model, options.concurrency))
    phases = {target.name: [] for target in targets}
    async with contextlib.AsyncExitStack() as stack:
        senders = {}
        for target in targets:
            await stack.enter_async_context(target)
            senders[target.name] = _sender(target, cases)
        for send in senders.values():
            # First every case once, without a time limit, then any cases for
            # a fixed time.
            for warm_up, seconds in (cases, float("inf")), (
                    itertools.cycle(cases), options.warm_up):
                await load_loops.closed(send, warm_up, options.concurrency,
                                        options.timeout, seconds)
        with _Bar(options, len(targets)) as bar:
            for number in range(options.rounds):
                for name, send in senders.items():
                    bar.begin(name)
                    phases[name].append(await _round(
                        options, send, cases, number, bar.report))
    return phases


def _sender(target, cases):
    """Makes all messages in advance; returns a function that sends a case."""
    messages = {case: target.prepare(case) for case in cases}
    return lambda case: target.send(messages[case])


async def _round(options, send, cases, number, report):
    """One round of one target; all targets get the same requests."""
    random = np.random.default_rng([options.seed, number])
    drawn = (cases[random.integers(len(cases))] for _ in itertools.count())
    if options.requests:
        drawn = itertools.islice(drawn, options.requests)
    if options.rate is None:
        return await load_loops.closed(
            send, drawn, options.concurrency, options.timeout,
            options.duration, report)
    due_times = load_loops.arrivals(
        options.rate, options.duration, [options.seed, number, 1])
    return await load_loops.open_loop(
        send, drawn, due_times, options.timeout, report)


class _Bar:
    """A progress bar in seconds of measurement, with the request rate."""

    def __init__(self, options, num_targets):
        self._options = options
        self._bar = tqdm(
            total=options.duration * options.rounds * num_targets,
            bar_format="{l_bar}{bar}| {n:.0f}/{total:.0f} s "
            "[{elapsed}<{remaining}{postfix}]")
        self._begun = self._count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bar.close()

    def begin(self, name):
        self._bar.n = self._begun * self._options.duration
        self._begun += 1
        self._count = 0
        self._bar.set_description(name, refresh=False)

    def report(self, outcome):
        self._count += 1
        seconds = outcome.start + outcome.latency
        self._bar.set_postfix_str(
            f"{self._count / seconds:.1f} requests/s", refresh=False)
        place = (self._begun - 1) * self._options.duration + min(
            seconds, self._options.duration)
        self._bar.update(place - self._bar.n)


def _summaries(phases):
    summaries = {name: load_report.summarize(name, rounds)
                 for name, rounds in phases.items()}
    direct = summaries.get(load_targets.DirectTarget.name)
    if direct and all(rates["colorings_per_second"]
                      for rates in direct["rounds"]):
        for summary in summaries.values():
            if summary is not direct:
                summary["ratio"] = load_report.ratios(summary, direct)
    return list(summaries.values())


def _write(options, summaries, phases):
    if options.json:
        settings = {key: str(value) if isinstance(value, Path) else value
                    for key, value in vars(options).items()}
        files.write_atomically(options.json, (json.dumps({
            "settings": settings, "cores": os.cpu_count(),
            "targets": summaries}, indent=1) + "\n").encode())
    if options.plot:
        from serving.load_test import plot as load_plot

        load_plot.draw(phases, options.plot)
    written = [str(path) for path in (options.json, options.plot) if path]
    if written:
        print(f"wrote {' and '.join(written)}")

