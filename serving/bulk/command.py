"""Colourises any number of files, with Apache Beam: on this machine, or on
Flink, Spark or Dataflow.

    python -m serving.bulk 'photos/**/*.jpg' --model models/tfdivcolor/1 \\
        --out colourings -n 8 --seed 0
    python -m serving.bulk 'gs://photos/**.jpg' --model gs://models/1 \\
        --out gs://colourings --runner DataflowRunner --project ...

Exit codes: 0 success; 1 pictures failed (OUT/_bulk/failed-*.jsonl lists them)
or the run failed (one line on stderr); 2 wrong arguments; 130 stopped by
Ctrl-C.
"""

import argparse
import datetime
import logging
import os
import re
import time

from tfdivcolor.cli import common
from tfdivcolor.settings import DEFAULTS, MAX_SAMPLES, Sampling
from tfdivcolor.utils import messages

# Beam and TensorFlow are imported later, so that --help answers at once.

EMBEDDED = "embedded"


def main(arguments=None):
    """Runs the command; returns its exit code."""
    # Beam logs many lines about its exceptions and about missing packages.
    logging.getLogger().setLevel(logging.CRITICAL)
    try:
        options, beam_flags = _parser().parse_known_args(arguments)
        call = _call(options)
        runner, beam_options = _beam(options.runner, beam_flags)
    except ImportError as error:
        messages.report(
            "Apache Beam must be installed: pip install '.[bulk]' "
            f"(received {error})")
        return 1
    except (ValueError, OSError) as error:
        messages.report(error)
        return 2
    started = time.monotonic()
    try:
        counts = run(call, runner, beam_options)
    except (KeyboardInterrupt, Exception) as error:  # whatever runners raise
        if _is_interrupt(error):
            messages.report("stopped; run the same command to continue")
            return 130
        messages.report(_last_line(error))
        return 1
    print(_summary(call, counts, time.monotonic() - started))
    return 1 if counts["failed"] else 0


def run(call, runner, beam_options):
    """Runs the pipeline to its end.

    Args:
        call: `serving.bulk.pipeline.Call`.
        runner: any runner of `beam.Pipeline`.
        beam_options: Beam's `PipelineOptions`.

    Returns:
        dict from every name of `records.COUNTERS` to an int.

    Raises:
        RuntimeError: if the run does not end as DONE. Runners raise other
            exceptions, too.
    """
    import apache_beam as beam
    from apache_beam.metrics import MetricsFilter
    from apache_beam.runners.runner import PipelineState

    from serving.bulk import files, pipeline, records

    files.clear_parts(call.out)
    whole = beam.Pipeline(runner=runner, options=beam_options)
    pipeline.build(whole, call)
    result = whole.run()
    state = result.wait_until_finish()
    if state not in (None, PipelineState.DONE):
        raise RuntimeError(f"the run must end as DONE (received {state})")
    counts = dict.fromkeys(records.COUNTERS, 0)
    found = result.metrics().query(
        MetricsFilter().with_namespace(records.NAMESPACE))
    for metric in found["counters"]:
        # Several steps share a counter, and some runners do not report the
        # committed part.
        counts[metric.key.metric.name] += metric.result or 0
    return counts


def _parser():
    parser = common.Parser(
        prog="python -m serving.bulk", allow_abbrev=False,
        description="Colourises all files of a pattern with an exported model "
        "and Apache Beam. Writes NAME_00.png (the safest colours), "
        "NAME_01.png and so on in the pattern's folders below --out, and a "
        "manifest and the names of failed files in --out/_bulk. Skips files "
        "that the manifest lists, so that the same command continues a "
        "stopped run. All other options are Beam's.")
    add = parser.add_argument
    add("patterns", nargs="+", metavar="PATTERN",
        help="pattern of files, such as 'photos/**/*.jpg', on any file system "
        "that Beam supports")
    add("--model", required=True, metavar="DIR",
        help="folder of an exported model's version, such as "
        "models/tfdivcolor/1")
    add("--out", required=True, metavar="DIR", help="folder to write to")
    add("-n", "--num-samples", type=int, default=DEFAULTS.num_samples,
        metavar="N", help=f"colourings per photograph, 1 to {MAX_SAMPLES} "
        "(default: %(default)s)")
    common.add_seed(parser)
    common.add_temperature(parser)
    add("--runner", default=EMBEDDED, metavar="NAME",
        help="embedded: this process, or N processes with "
        "--direct_num_workers=N --direct_running_mode=multi_processing; or a "
        "runner of Beam: FlinkRunner, SparkRunner, DataflowRunner "
        "(default: %(default)s)")
    return parser


def _call(options):
    """Makes the command's `pipeline.Call`.

    Raises:
        ValueError: if an option is wrong.
        OSError: if files or the model cannot be listed or read.
        ImportError: if Beam or its package for a file system is missing.
    """
    sampling = Sampling(
        options.num_samples, options.seed, options.temperature)
    from apache_beam.io.filesystems import FileSystems

    from serving.bulk import files, model, pipeline

    out = files.absolute(options.out).rstrip("/")
    if re.search(r"[*?[]", out):
        raise ValueError(f"--out must have no *, ? or [ (received {out})")
    patterns = tuple(map(files.absolute, options.patterns))
    for given, pattern in zip(options.patterns, patterns):
        if files.fixed_folder(pattern).startswith(f"{out}/"):
            raise ValueError(
                f"--out must not hold the photographs (received {out} for "
                f"{given})")
        every = files.expand(pattern)
        found = FileSystems.match(every, [1] * len(every))
        is_folder = os.path.isdir(pattern)
        if is_folder or not any(match.metadata_list for match in found):
            received = "a folder" if is_folder else "one that matches no file"
            raise ValueError(
                f"{given}: must be a pattern of files, such as "
                f"'photos/**/*.jpg' (received {received})")
    common.start_tensorflow()
    described = model.describe(
        files.absolute(options.model).rstrip("/"), sampling.num_samples)
    now = datetime.datetime.now(datetime.timezone.utc)
    return pipeline.Call(
        patterns, out, described, sampling, now.strftime("%Y%m%dT%H%M%S.%fZ"))


def _beam(name, flags):
    """The runner and its options.

    Raises:
        ValueError: if the runner or an option is unknown.
    """
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners import runner as runners

    options = PipelineOptions(flags)
    if name == EMBEDDED:
        _check_flags(PipelineOptions, flags)
        return _embedded(options), options
    runner = runners.create_runner(name)
    # These runners log useful things, such as the address of the job's page.
    logging.basicConfig(level=logging.INFO, force=True)
    return runner, PipelineOptions([*flags, f"--runner={name}"])


def _check_flags(options, flags):
    """Refuses misspelt options, which Beam would ignore.

    Only for the embedded runner: the servers of other runners know further
    options.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    for group in {str(one): one for one in options.__subclasses__()}.values():
        group._add_argparse_args(parser)
    _, unknown = parser.parse_known_args(flags)
    if unknown:
        raise ValueError(f"unrecognized arguments: {' '.join(unknown)}")


def _embedded(options):
    """Beam's runner for one machine, written in Python alone.

    DirectRunner would first try Prism, a program that it downloads.
    """
    from apache_beam.portability.api import beam_provision_api_pb2
    from apache_beam.runners.portability.fn_api_runner import fn_runner
    from apache_beam.runners.portability.portable_runner import (
        JobServiceHandle,
    )

    encoded = JobServiceHandle.encode_pipeline_options(
        options.get_all_options())
    return fn_runner.FnApiRunner(
        provision_info=fn_runner.ExtendedProvisionInfo(
            beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)))


def _is_interrupt(error):
    """Whether it is Ctrl-C, or Beam's exception for Ctrl-C in a step."""
    while error and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _last_line(error):
    """The message's last line. Runners put a worker's traceback before it."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _summary(call, counts, seconds):
    made = counts["colorized"]
    failed = counts["failed"]
    where = (f", see {call.out}/_bulk/failed-{call.run}-*.jsonl" if failed
             else "")
    return (f"{call.sampling.num_samples} colourings each of "
            f"{messages.plural(made, 'photograph')}, {counts['skipped']} "
            f"skipped, {failed} failed; {counts['bytes_in'] / 1e6:.1f} MB "
            f"read, {counts['bytes_out'] / 1e6:.1f} MB written in "
            f"{seconds:.0f} s ({made / max(seconds, 1e-9):.2f} "
            f"photographs/s); wrote {call.out}{where}")

