"""Records of a run's pictures, in shards: the manifest and the dead letters.

A shard is a file of JSON lines.  It appears complete, after the files of its
pictures.  So a killed run loses at most its last minute, and the same command
continues from there.  Two shards may have the same row if Beam repeated the
work of a worker.
"""

import hashlib
import json
import posixpath
import time

import apache_beam as beam
from apache_beam.metrics import Metrics

from serving.bulk import files

MANIFEST, FAILED = "manifest", "failed"
NAMESPACE = "tfdivcolor"
COUNTERS = ("colorized", "failed", "skipped", "bytes_in", "bytes_out")

_ROWS = 1000
_SECONDS = 60.0


def counter(name):
    """Beam's counter of one of `COUNTERS`."""
    return Metrics.counter(NAMESPACE, name)


def pattern(out, kind):
    """The pattern of all shards of one kind in an output folder."""
    return posixpath.join(out, files.FOLDER, f"{kind}-*.jsonl")


class WriteShards(beam.DoFn):
    """Writes rows to shards; emits no elements.

    Args:
        out: str. The output folder.
        kind: `MANIFEST` or `FAILED`.
        run: str. The run's name, part of the shards' names.
    """

    def __init__(self, out, kind, run):
        self._out = out
        self._kind = kind
        self._run = run

    def start_bundle(self):
        self._lines = []
        self._first = None

    def process(self, row):
        if not self._lines:
            self._first = time.monotonic()
        self._lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        if (len(self._lines) >= _ROWS
                or time.monotonic() - self._first >= _SECONDS):
            self._flush()

    def finish_bundle(self):
        if self._lines:
            self._flush()

    def _flush(self):
        data = "".join(self._lines).encode()
        # A repeated attempt with the same rows writes the same file.
        name = hashlib.sha256(data).hexdigest()[:16]
        path = pattern(self._out, self._kind).replace(
            "*", f"{self._run}-{name}")
        files.write({path: data}, self._out)
        self._lines = []


class ReadShards(beam.DoFn):
    """Reads the manifest of earlier runs.

    Args:
        keys: names of the values to read from each row.
    """

    def __init__(self, keys):
        self._keys = keys

    def process(self, file):
        # Split bytes: a str would also split at other characters.
        for line in files.read(file.path).splitlines():
            row = json.loads(line)
            yield row["stem"], [row[key] for key in self._keys]
