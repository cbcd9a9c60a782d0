"""The exported model in a worker, and what it makes of one picture."""

import atexit
import hashlib
import json
import re
import weakref
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from apache_beam.ml.inference.base import ModelHandler, PredictionResult

from serving.bulk import files
from serving.client.client import inputs_of
from serving.client.endpoint import ServerError
from tfdivcolor.cli import common
from tfdivcolor.settings import Sampling

_ROW = re.compile(r"image_bytes\[\d+\]: ")


@dataclass(frozen=True)
class Model:
    """A version of an exported model.

    Attributes:
        path: str. Its folder.
        sha256: str. Checksum of its graph and variables.
        signature: str. The one that gives the colourings.
    """

    path: str
    sha256: str
    signature: str

    @property
    def version(self):
        return Path(self.path).name


@dataclass(frozen=True)
class Picture:
    """A photograph on its way to the model.

    Attributes:
        row: dict. What the manifest says of it so far.
        stem: str. What to call its outputs, in the output folder.
        data: bytes. An image file that the model reads as it is shown.
    """

    row: dict
    stem: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Colored:
    """What the model made of a picture.

    Attributes:
        encoded: list of S bytes. Image files.
        share: list of S float, as of `Coloring`. None where tfdivcolor 0.5
            has exported the model, which has no shares then.
        log_prob: list of S float. log p(z | grey image), nats.
    """

    encoded: list = field(repr=False)
    share: list | None
    log_prob: list


@dataclass(frozen=True)
class Refusal:
    """A picture that the model did not colourise.

    Attributes:
        message: str.
    """

    message: str


def describe(path, num_samples):
    """Looks at an exported model without loading it.

    Args:
        path: str. The folder of its version, in any file system.
        num_samples: int. Colourings wanted of each picture.

    Returns:
        `Model`.

    Raises:
        ValueError: if it is none, or gives no such number of colourings.
        OSError: if it cannot be read.
    """
    from tfdivcolor.export import saved_model

    with files.local_copy(path) as folder:
        digest = hashlib.sha256()
        found = sorted(Path(folder).glob("variables/*"))
        graph = Path(folder, "saved_model.pb")
        if not graph.is_file():
            raise ValueError(
                f"{path}: must be the folder of an exported model's version "
                "(received one without saved_model.pb)")
        for file in [graph, *found]:
            digest.update(file.read_bytes())
        signatures = saved_model.signatures(saved_model.meta_graph(folder))
        contract = Path(folder, "contract.json")
        most = (json.loads(contract.read_bytes())["max_samples"]
                if contract.is_file() else num_samples)
    if num_samples > most:
        raise ValueError(
            f"num_samples must be at most {most}, the limit that {path} was "
            f"exported with (received {num_samples})")
    return Model(path, digest.hexdigest(),
                 _signature(path, signatures, num_samples))


def _signature(path, signatures, num_samples):
    if "colorize_n" in signatures:
        return "colorize_n"
    if "colorize" not in signatures:
        raise ValueError(
            f"{path}: must have the signature colorize or colorize_n "
            f"(received {', '.join(sorted(signatures)) or 'none'})")
    shape = signatures["colorize"].outputs["log_prob"].tensor_shape
    if num_samples != shape.dim[1].size:
        raise ValueError(
            f"num_samples must be {shape.dim[1].size}, the number that {path} "
            f"was exported with (received {num_samples})")
    return "colorize"


class SavedModelHandler(ModelHandler):
    """Runs a SavedModel as TensorFlow Serving does, for RunInference.

    In a session, by `Servable`, as everything here that runs exported models:
    `tf.saved_model.load` accepts files that fail in a server.  Beam keeps one
    model a process, which the threads share.  Processes have their own: it is
    small beside TensorFlow itself, and sharing it would send all pictures from
    process to process.

    One picture a call, whatever Beam's batches are.  A row's results depend
    on the other rows in the last bits, and Beam composes other batches when it
    tries again: only alone does a picture give the same bytes again.  For the
    same reason no picture can fail with another one.  Networks are a small
    part of the time; TensorFlow has threads of its own for the rest.

    Args:
        model: `Model`.
        sampling: `Sampling`.
    """

    def __init__(self, model, sampling):
        # Larger ones would only keep more results in memory.
        super().__init__(min_batch_size=1, max_batch_size=1)
        self.model = model
        self.sampling = Sampling(
            sampling.num_samples, sampling.seed, sampling.temperature)

    def load_model(self):
        """Loads the model: a `Servable`."""
        common.start_tensorflow()
        from tfdivcolor.export.saved_model import Servable

        with files.local_copy(self.model.path) as folder:
            model = Servable(folder)
        # A session outlives the interpreter badly, and Beam closes none.
        atexit.register(_close, weakref.ref(model))
        return model

    def run_inference(self, batch, model, inference_args=None):
        """Colourises pictures.

        Args:
            batch: list of `Picture`.
            model: `Servable`.
            inference_args: unused; Beam's.

        Yields:
            `PredictionResult` of each `Picture`. Its inference is a `Colored`
            or a `Refusal`.
        """
        for picture in batch:
            yield PredictionResult(
                picture, self._colorize(picture, model), self.model.version)

    def get_num_bytes(self, batch):
        """Size of the pictures; Beam's own way is to pickle them."""
        return sum(len(picture.data) for picture in batch)

    def get_metrics_namespace(self):
        return "tfdivcolor_model"

    def _colorize(self, picture, model):
        import tensorflow as tf

        inputs = inputs_of(
            self.model.signature, [picture.data], self.sampling)
        # An array would take text for its own kind, which ends at a zero.
        inputs["image_bytes"] = np.array([picture.data], object)
        try:
            outputs = model.run(self.model.signature, inputs)
        except tf.errors.OpError as error:
            # One truth for what TensorFlow puts around a check's message.
            said = ServerError("", error.message, picture.stem).message
            return Refusal(_ROW.sub("", said, count=1))
        share = outputs["share"][0].tolist() if "share" in outputs else None
        return Colored(list(outputs["colorized_bytes"][0]), share,
                       outputs["log_prob"][0].tolist())


def _close(reference):
    """Closes the model of a weak reference, if it is still there."""
    model = reference()
    if model is not None:
        model.close()
