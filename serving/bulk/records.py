"""What a run says of its pictures: manifest and dead letters, in shards.

A shard is a file of JSON lines that appears whole, and says of pictures whose
files are complete already: a run that is killed loses at most the last minute,
and the same command goes on from there.  A row may stand in two shards, after
a worker's attempt that Beam did not count.
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
    """The pattern of all shards of a kind in an output folder."""
    return posixpath.join(out, files.FOLDER, f"{kind}-*.jsonl")


class WriteShards(beam.DoFn):
    """Writes rows to shards, and gives nothing on.

    Args:
        out: str. The output folder.
        kind: `MANIFEST` or `FAILED`.
        run: str. The run's name, in that of the shards.
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
        # The same rows again have the same name.
        name = hashlib.sha256(data).hexdigest()[:16]
        path = pattern(self._out, self._kind).replace(
            "*", f"{self._run}-{name}")
        files.write({path: data}, self._out)
        self._lines = []


class ReadShards(beam.DoFn):
    """Reads the manifest of earlier runs.

    Args:
        keys: names of the values wanted of each row.
    """

    def __init__(self, keys):
        self._keys = keys

    def process(self, file):
        # Lines of text would end at other characters, too.
        for line in files.read(file.path).splitlines():
            row = json.loads(line)
            yield row["stem"], [row[key] for key in self._keys]
