"""The exported model in a worker, and its results for one picture."""

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
        path: str. The version's folder.
        sha256: str. Checksum of graph and variables, in hexadecimal.
        signature: str. The signature that returns the colourings.
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
        row: dict. The picture's row in the manifest, so far.
        stem: str. Start of the outputs' names, in the output folder.
        data: bytes. An image file that the model reads as viewers show it.
    """

    row: dict
    stem: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Colored:
    """The model's results for a picture.

    Attributes:
        encoded: list of S bytes. Image files.
        share: list of S float, 0 to 1, as in `Coloring`. None for models
            exported by tfdivcolor 0.5, which return no shares.
        log_prob: list of S float. log p(z | grey image), nats.
    """

    encoded: list = field(repr=False)
    share: list | None
    log_prob: list


@dataclass(frozen=True)
class Refusal:
    """A picture that the model did not colourise.

    Attributes:
        message: str. The model's reason.
    """

    message: str


def describe(path, num_samples):
    """Examines an exported model without loading it.

    Args:
        path: str. The version's folder, on any file system.
        num_samples: int. Colourings per picture.

    Returns:
        `Model`.

    Raises:
        ValueError: if the folder has no exported model, or the model cannot
            return that number of colourings.
        OSError: if the folder is unreadable.
    """
    from tfdivcolor.export import saved_model

    with files.local_copy(path) as folder:
        digest = hashlib.sha256()
        found = sorted(Path(folder).glob("variables/*"))
        graph = Path(folder, "saved_model.pb")
        if not graph.is_file():
            raise ValueError(
                f"{path}: must be the folder of an exported model's version "
                "(received a path without saved_model.pb)")
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

    The model runs in a session, by `Servable`, because `tf.saved_model.load`
    accepts files that fail in a server.  Beam keeps one model per process, and
    its threads share it.  Processes do not share a model: it is small compared
    with TensorFlow itself, and sharing would send all pictures from process to
    process.

    Each call has one picture, whatever the size of Beam's batches.  In a batch
    the last bits of a row's results depend on the other rows, and Beam makes
    other batches when it retries.  A picture alone always gives the same bytes,
    and does not fail because of another picture.  Calls of one picture cost
    little time: the networks take a small part of it, and TensorFlow's own
    threads do the rest.

    Args:
        model: `Model`.
        sampling: `Sampling`.
    """

    def __init__(self, model, sampling):
        # Larger batches would only keep more results in memory.
        super().__init__(min_batch_size=1, max_batch_size=1)
        self.model = model
        self.sampling = Sampling(
            sampling.num_samples, sampling.seed, sampling.temperature)

    def load_model(self):
        """Loads the model; returns a `Servable`."""
        common.start_tensorflow()
        from tfdivcolor.export.saved_model import Servable

        with files.local_copy(self.model.path) as folder:
            model = Servable(folder)
        # Beam does not close the model, and an open session causes errors when
        # the interpreter ends.
        atexit.register(_close, weakref.ref(model))
        return model

    def run_inference(self, batch, model, inference_args=None):
        """Colourises pictures.

        Args:
            batch: list of `Picture`.
            model: `Servable`.
            inference_args: unused; Beam passes it.

        Yields:
            `PredictionResult` for each `Picture`. Its inference is a `Colored`
            or a `Refusal`.
        """
        for picture in batch:
            yield PredictionResult(
                picture, self._colorize(picture, model), self.model.version)

    def get_num_bytes(self, batch):
        """Size of the pictures in bytes. By default Beam would pickle them."""
        return sum(len(picture.data) for picture in batch)

    def get_metrics_namespace(self):
        return "tfdivcolor_model"

    def _colorize(self, picture, model):
        import tensorflow as tf

        inputs = inputs_of(
            self.model.signature, [picture.data], self.sampling)
        # NumPy's own bytes type would strip zeros from the end.
        inputs["image_bytes"] = np.array([picture.data], object)
        try:
            outputs = model.run(self.model.signature, inputs)
        except tf.errors.OpError as error:
            # `ServerError` strips TensorFlow's text around a check's message.
            said = ServerError("", error.message, picture.stem).message
            return Refusal(_ROW.sub("", said, count=1))
        share = outputs["share"][0].tolist() if "share" in outputs else None
        return Colored(list(outputs["colorized_bytes"][0]), share,
                       outputs["log_prob"][0].tolist())


def _close(reference):
    """Closes the model of a weak reference, if it still exists."""
    model = reference()
    if model is not None:
        model.close()
