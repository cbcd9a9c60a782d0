"""Strategies: training on one device, a machine's GPUs, or several machines.

Give the same command on each machine. TF_CONFIG lists the machines and names
this one. On the first of two:

    TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]},
                "task": {"type": "worker", "index": 0}}' \\
    python -m training.train --config lfw --strategy multiworker \\
        --data /shared/lfw --workdir /shared/runs/lfw

All workers share the folder --workdir.  They may share --data too, or have
copies with the same pictures under the same names.  Prepare the data once
(`training.prepare_lfw`): otherwise every worker decodes all pictures.  Each
worker takes its rows of each batch; `batch_size` counts the rows of all
workers.  Only worker 0, the chief, writes, and all workers resume from its
checkpoints.  If one worker is lost, the others end after `HEARTBEAT_SECONDS`
or a little more.  To continue, run the same commands again.
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

# A worker without a heartbeat for this time counts as lost.  TensorFlow's
# default of 10 s is too short for a machine that traces and compiles.
HEARTBEAT_SECONDS = 60

_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError,
         tf.errors.CancelledError, tf.errors.DeadlineExceededError)

# These parts of TensorFlow are not public and have no types, or wrong ones.
_context: Any = context.context
_coordinated_job: Any = (
    coordination_config_pb2.
    CoordinatedJob)  # pyright: ignore[reportAttributeAccessIssue]


class Stopped(Exception):
    """The run stopped on request. All workers are at the same step, and the
    chief has saved a checkpoint of it."""


class WorkerLost(RuntimeError):
    """Another worker ended or is no longer reachable."""


def make(name: str) -> tf.distribute.Strategy:
    """Makes a strategy. Call it before any other TensorFlow operation.

    Args:
        name: "none", "mirrored" (all GPUs of this machine) or "multiworker"
            (all GPUs of every worker in TF_CONFIG; waits for all workers).

    Returns:
        tf.distribute.Strategy.

    Raises:
        ValueError: if TF_CONFIG is wrong, or a worker's address is not
            reachable.
    """
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    addresses, index = read_cluster(os.environ.get("TF_CONFIG", ""))
    # The strategy's own configuration, with a longer timeout.
    _context().configure_coordination_service(
        service_type="standalone",
        service_leader="/job:worker/replica:0/task:0",
        heartbeat_timeout_in_ms=1000 * HEARTBEAT_SECONDS,
        coordinated_jobs=[_coordinated_job(
            name="worker", num_tasks=len(addresses))])
    print(f"worker {index} of {len(addresses)}, at {addresses[index]}: "
          "waiting for the other workers", flush=True)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise ValueError(
            f"TF_CONFIG: address {index}, {addresses[index]}, must be a free "
            "port of this machine, and all other workers must be reachable "
            f"(received {reason(error)})") from error


def read_cluster(text: str) -> tuple[list[str], int]:
    """Reads the addresses of all workers and the index of this one.

    Args:
        text: str. The value of TF_CONFIG.

    Returns:
        (list of str "host:port", int).

    Raises:
        ValueError: if the text is not JSON of that form.
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
            "TF_CONFIG: must be JSON with cluster.worker, the list of every "
            'worker\'s "host:port", no other jobs, and task with type '
            f'"worker" and this worker\'s index (received {text!r})')
    return addresses, index


class Workers:
    """The processes that train together, seen from one of them.

    With one process every method returns at once.  With several processes a
    method returns when all of them have called it.

    Args:
        strategy: tf.distribute.Strategy.

    Attributes:
        index: int. This process' number, from 0.
        count: int. Number of processes.
        chief: bool. Whether this process writes files.
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
        """Returns every worker's `number`, a list of int in workers' order."""
        if self.count == 1:
            return [number]
        own = np.zeros(self.count)
        own[self.index] = number
        return [round(float(value) * self.count)
                for value in self._mean(tf.constant(own))]

    def any(self, *flags: bool) -> list[bool]:
        """Returns for each flag whether any worker has set it, list of bool.

        Decisions that depend on a clock or a signal need this agreement: if
        one worker saved or stopped alone, the others would wait for ever.
        """
        if self.count == 1:
            return list(flags)
        return [bool(value > 0)
                for value in self._mean(tf.constant(flags, tf.float64))]

    def wait(self) -> None:
        """Returns when all workers have called it."""
        self.any(False)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """A context in which an error of one worker ends all of them.

        Raises:
            WorkerLost: in the other workers, with the message of that error;
                if a worker was killed, in all remaining workers.
        """
        try:
            yield
        except _LOST as error:
            if self.count == 1:
                raise
            raise WorkerLost(
                f"worker {self.index} of {self.count} cannot continue without "
                f"the others ({_cause(error)})") from error
        except Stopped:
            raise
        except (Exception, KeyboardInterrupt) as error:
            if self.count > 1:
                # The report fails if the others have already ended.
                with contextlib.suppress(tf.errors.OpError):
                    _context().report_error_to_cluster(
                        tf.errors.ABORTED,
                        str(error) or type(error).__name__)
            raise


def distribute(
        strategy: tf.distribute.Strategy,
        make: Callable[[tuple[int, int]], tf.data.Dataset]) -> Iterator[Any]:
    """Yields the rows of global batches for every replica.

    The strategy's own datasets are no alternative: nothing can turn off the
    autotuner of their iterators (`data.no_autotune`).

    Args:
        strategy: tf.distribute.Strategy.
        make: function, shard (index, count) -> tf.data.Dataset with the rows
            of replica `index` of `count` in each global batch. All replicas
            have the same number of batches.

    Yields:
        a value that `strategy.run` accepts.
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
    """The error of the other worker, from a collective operation's message."""
    found = re.search(r"aborted by: (.*?)(?:\nThe error could be|$)",
                      error.message, re.DOTALL)
    return " ".join(found[1].split()) if found else reason(error)
