"""What a run trains on: one device, a machine's GPUs, or several machines.

On several machines the same command is given on each, and TF_CONFIG says who
is who; here on the first of two:

    TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]},
                "task": {"type": "worker", "index": 0}}' \\
    python -m training.train --config lfw --strategy multiworker \\
        --data /shared/lfw --workdir /shared/runs/lfw

--workdir is a folder that all of them share.  --data may be shared too, or
copied: the same pictures under the same names, best prepared once
(`training.prepare_lfw`), as otherwise every worker decodes them all.  Every
worker takes its rows of each batch; `batch_size` counts those of all.  Worker
0, the chief, is the only one that writes.  All go on from its checkpoints; when
one is lost the others end, `HEARTBEAT_SECONDS` later or a little more, and the
same commands go on.
"""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
from tensorflow.python.eager import context

from tfdivcolor.utils.errors import reason

# Without a sign of life for so long a worker counts as lost.  TensorFlow's own
# 10 s are too few for a machine that is busy tracing and compiling.
HEARTBEAT_SECONDS = 60

_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError,
         tf.errors.CancelledError, tf.errors.DeadlineExceededError)

# Parts of TensorFlow that are not public: they have no types, or wrong ones.
_context: Any = context.context
_coordinated_job: Any = (
    coordination_config_pb2.
    CoordinatedJob)  # pyright: ignore[reportAttributeAccessIssue]


class Stopped(Exception):
    """The run was asked to stop, and has: all workers are at the same step, and
    have a checkpoint of it."""


class WorkerLost(RuntimeError):
    """Another worker ended, or cannot be reached any more."""


def make(name: str) -> tf.distribute.Strategy:
    """The strategy of a name; before any other TensorFlow operation runs.

    Args:
        name: "none", "mirrored" (all GPUs of this machine) or "multiworker"
            (those of every worker in TF_CONFIG; waits for all to be there).

    Returns:
        tf.distribute.Strategy.

    Raises:
        ValueError: if TF_CONFIG is not as it must be.
    """
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    addresses, index = read_cluster(os.environ.get("TF_CONFIG", ""))
    # What the strategy would configure itself, but for the time.
    _context().configure_coordination_service(
        service_type="standalone",
        service_leader="/job:worker/replica:0/task:0",
        heartbeat_timeout_in_ms=1000 * HEARTBEAT_SECONDS,
        coordinated_jobs=[_coordinated_job(
            name="worker", num_tasks=len(addresses))])
    print(f"worker {index} of {len(addresses)}, at {addresses[index]}: "
          "waiting for all to be there", flush=True)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise ValueError(
            f"TF_CONFIG: must have a free port of this machine as address "
            f"{index}, {addresses[index]}, and those of workers that can be "
            f"reached (received {reason(error)})") from error


def read_cluster(text: str) -> tuple[list[str], int]:
    """Addresses of all workers and the index of this one.

    Args:
        text: str. TF_CONFIG.

    Returns:
        (list of str "host:port", int).

    Raises:
        ValueError: if it does not say so.
    """
    try:
        config = json.loads(text)
        addresses, task = config["cluster"]["worker"], config["task"]
        index = task["index"]
        good = (list(config["cluster"]) == ["worker"]
                and task["type"] == "worker"
                and all(re.fullmatch(r".+:\d+", each) for each in addresses)
                and len(set(addresses)) == len(addresses)
                and type(index) is int and 0 <= index < len(addresses))
    except (ValueError, KeyError, TypeError):
        good = False
    if not good:
        raise ValueError(
            "TF_CONFIG: must be JSON with cluster.worker, a list of every "
            'worker\'s "host:port", no other jobs, and task, its type '
            f'"worker" and this worker\'s index (received {text!r})')
    return addresses, index


class Workers:
    """The processes that train together, as one of them sees them.

    With a strategy of one process every method returns at once.  With several
    each is a meeting: it returns when all have called it.

    Args:
        strategy: tf.distribute.Strategy.

    Attributes:
        index: int. This process' number.
        count: int. Number of processes.
        chief: bool. Whether this is the one that writes.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        resolver = strategy.cluster_resolver
        self.index, self.count = 0, 1
        if resolver is not None:
            self.index = resolver.task_id
            self.count = resolver.cluster_spec().num_tasks("worker")
        self.chief = self.index == 0

        @tf.function
        def mean(values):
            return strategy.reduce(
                tf.distribute.ReduceOp.MEAN,
                strategy.run(tf.identity, args=(values,)), axis=None)

        self._mean = mean

    def gather(self, number: int) -> list[int]:
        """Every worker's number, in their order; list of int."""
        if self.count == 1:
            return [number]
        own = np.zeros(self.count)
        own[self.index] = number
        return [round(float(value) * self.count)
                for value in self._mean(tf.constant(own))]

    def any(self, *flags: bool) -> list[bool]:
        """Which of some flags any worker has set; list of bool.

        What depends on a clock or on a signal must be agreed on: a worker
        that saves or stops alone would leave the others waiting.
        """
        if self.count == 1:
            return list(flags)
        return [bool(value > 0)
                for value in self._mean(tf.constant(flags, tf.float64))]

    def wait(self) -> None:
        """Returns when all workers are here."""
        self.any(False)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Within the context an error of one worker ends all of them.

        Raises:
            WorkerLost: in the others, with the message of that error, or in
                all that are left if one was killed.
        """
        try:
            yield
        except _LOST as error:
            if self.count == 1:
                raise
            raise WorkerLost(
                f"worker {self.index} of {self.count} cannot go on without "
                f"the others ({_cause(error)})") from error
        except Stopped:
            raise
        except (Exception, KeyboardInterrupt) as error:
            if self.count > 1:
                # Fails where they are gone already.
                with contextlib.suppress(tf.errors.OpError):
                    _context().report_error_to_cluster(
                        tf.errors.ABORTED,
                        str(error) or type(error).__name__)
            raise


def distribute(
        strategy: tf.distribute.Strategy,
        make: Callable[[tuple[int, int]], tf.data.Dataset]) -> Iterator[Any]:
    """Every replica's rows of global batches.

    Not by the strategy's own datasets: those hand batches on by iterators
    whose autotuner cannot be turned off (`pipelines`).

    Args:
        strategy: tf.distribute.Strategy.
        make: function, shard (index, count) -> tf.data.Dataset of the rows
            that replica `index` of `count` has in each global batch; of as
            many batches for each.

    Yields:
        what `strategy.run` takes.
    """
    count = strategy.num_replicas_in_sync
    if count == 1:
        yield from make((0, 1))
        return
    iterators = {}

    def rows(replica):
        index = replica.replica_id_in_sync_group
        if index not in iterators:
            iterators[index] = iter(make((index, count)))
        return next(iterators[index])

    while True:
        try:
            yield strategy.experimental_distribute_values_from_function(rows)
        except StopIteration:
            return


def _cause(error):
    """What a collective operation says that it was aborted by."""
    found = re.search(r"aborted by: (.*?)(?:\nThe error could be|$)",
                      error.message, re.DOTALL)
    return " ".join(found[1].split()) if found else reason(error)
