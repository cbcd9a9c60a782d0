"""Colourises photographs on a server: TensorFlow Serving with our model.

    client = serving.client.connect("http://127.0.0.1:8501")  # REST
    client = serving.client.connect("127.0.0.1:8500")         # gRPC
    result = client.colorize("photo.jpg", num_samples=8, seed=0)
    result.images  # uint8 [8, H, W, 3], safest first

By REST nothing here imports TensorFlow.  `python -m serving.client` is the
command: see `serving.client.command`.
"""

import functools
import re
from dataclasses import dataclass, field

import numpy as np

from serving.client import upload
from serving.client.endpoint import Endpoint, ServerError
from tfdivcolor import images
from tfdivcolor.settings import DEFAULTS, Sampling

DEFAULT_SERVER = "http://127.0.0.1:8501"

_ROW = re.compile(r"image_bytes\[(\d+)\]: ")


def connect(server=DEFAULT_SERVER, **options):
    """Makes a client; the server is first called when it is needed.

    Args:
        server: str. "http://HOST:PORT" for REST, "HOST:PORT" for gRPC.
        **options: model, version, label, timeout, max_attempts, as in
            `Endpoint`.

    Returns:
        `Client`. As a context manager it closes itself.

    Raises:
        ValueError: if an argument is outside its range.
    """
    return Client(transport_to(Endpoint(server, **options)))


def transport_to(endpoint):
    """The `RestClient` or `GrpcClient` for an `Endpoint`'s address."""
    if endpoint.is_rest:
        from serving.client.rest_client import RestClient

        return RestClient(endpoint)
    from serving.client.grpc_client import GrpcClient

    return GrpcClient(endpoint)


@dataclass(frozen=True, eq=False)
class ServedColoring:
    """S colourings of one photograph as a server made them.

    Attributes:
        encoded: list of S bytes. Image files at the photograph's size as
            received: PNG, or JPEG if the model was exported so.
        log_prob: float32 [S]. log p(z | grey image), nats.
        name: str. The photograph's name.
        sent: bytes. The photograph as it was sent.
        share: float32 [S], as of `Coloring`. None where tfdivcolor 0.5 has
            exported the model, which has no shares then.
    """

    encoded: list = field(repr=False)
    log_prob: np.ndarray
    name: str
    sent: bytes = field(repr=False)
    share: np.ndarray | None = None

    def __len__(self):
        return len(self.encoded)

    @property
    def images(self):
        """All colourings: uint8 [S, H, W, 3]."""
        return np.stack([self.image(i) for i in range(len(self))])

    @property
    def grey(self):
        """The photograph without colour: uint8 [H, W, 3]; by TensorFlow."""
        from tfdivcolor.color import canvas

        luminance = canvas.luminance_of(images.read(self.sent).pixels)
        return canvas.join(
            luminance, np.zeros([1, 1, 2], np.float32)).numpy()

    def image(self, index):
        """One colouring at the photograph's size: uint8 [H, W, 3]."""
        return images.read(self.encoded[index]).pixels


class Client:
    """Colourises photographs on a server.  Threads may share one.

    Args:
        transport: `RestClient` or `GrpcClient`.
    """

    def __init__(self, transport):
        self.endpoint = transport.endpoint
        self._transport = transport

    def colorize(self, source, num_samples=DEFAULTS.num_samples,
                 seed=DEFAULTS.seed, temperature=DEFAULTS.temperature):
        """Colourises one photograph at its own size.

        Args:
            source: what `images.read` takes: path, bytes, open file, PIL image
                or array. Of a colour picture the luminance counts.
            num_samples: int S. If the model was exported without the
                signature colorize_n, only its own number will do.
            seed: int64.
            temperature: float, 0 or more.

        Returns:
            `ServedColoring`.

        Raises:
            images.ImageError: a ValueError; the source is not a picture that
                can be read.
            ValueError: if another argument is outside its range.
            ServerError: the server refused the call or did not answer.
        """
        return self._colorize([source], [upload.name_of(source)],
                              Sampling(num_samples, seed, temperature))[0]

    def colorize_batch(self, sources, num_samples=DEFAULTS.num_samples,
                       seed=DEFAULTS.seed, temperature=DEFAULTS.temperature):
        """Colourises several photographs in one call; one fails, all fail.

        Args:
            sources: sequence of what `colorize` takes; sizes may differ.
            num_samples, seed, temperature: as in `colorize`, the same for
                all. A photograph's result does not depend on the others.

        Returns:
            list of `ServedColoring`.

        Raises:
            ImageError, ValueError, ServerError: as in `colorize`. A picture
                without a path is called sources[i].
        """
        names = [upload.name_of(source, f"sources[{i}]")
                 for i, source in enumerate(sources)]
        return self._colorize(
            sources, names, Sampling(num_samples, seed, temperature))

    def signature_for(self, num_samples):
        """Name of the signature that gives so many colourings.

        The server is asked what it has once only, here or in the first call.

        Args:
            num_samples: int.

        Returns:
            str. "colorize_n", or "colorize" where the model lacks that.

        Raises:
            ValueError: if none does.
            ServerError: if there is no answer, or not one of our models.
        """
        if "colorize_n" in self._signatures:
            return "colorize_n"
        try:
            fixed = self._signatures["colorize"]["log_prob"][1]
        except (KeyError, IndexError):
            raise self.endpoint.error(
                "UNIMPLEMENTED", f"model {self.endpoint.model} must have the "
                "signature colorize or colorize_n (received "
                f"{', '.join(sorted(self._signatures)) or 'none'})") from None
        if num_samples != fixed:
            raise ValueError(
                f"num_samples must be {fixed}, the number that model "
                f"{self.endpoint.model} was exported with "
                f"(received {num_samples})")
        return "colorize"

    def close(self):
        """Closes the connections."""
        self._transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @functools.cached_property
    def _signatures(self):
        return self._transport.signatures()

    def _colorize(self, sources, names, sampling):
        data = [upload.encode(source, name)
                for source, name in zip(sources, names)]
        signature = self.signature_for(sampling.num_samples)
        try:
            outputs = self._transport.predict(
                signature, inputs_of(signature, data, sampling))
        except ServerError as error:
            raise _about_picture(error, names) from error
        shares = [None] * len(data)
        if "share" in outputs:
            shares = np.asarray(outputs["share"], np.float32)
        return [ServedColoring(list(encoded), log_prob, name, sent, share)
                for encoded, log_prob, name, sent, share in zip(
                    outputs["colorized_bytes"],
                    np.asarray(outputs["log_prob"], np.float32),
                    names, data, shares)]


def inputs_of(signature, data, sampling):
    """Inputs of a signature that colourises image files.

    Args:
        signature: "serving_default", "colorize" or "colorize_n".
        data: list of B bytes, image files.
        sampling: `Sampling`.

    Returns:
        dict from an input's name to a list of bytes or an array.
    """
    inputs = {"image_bytes": data}
    if signature == "serving_default":
        return inputs
    seed = np.int64(sampling.seed)
    temperature = np.float32(sampling.temperature)
    if signature == "colorize_n":
        return {**inputs, "num_samples": np.int32(sampling.num_samples),
                "seed": seed, "temperature": temperature}
    return {**inputs, "seed": np.full(len(data), seed),
            "temperature": np.full(len(data), temperature)}


def _about_picture(error, names):
    """The error, naming the picture instead of its row in the call."""
    row = _ROW.match(error.message)
    # A server that merges calls into batches may count others' rows too.
    if row and int(row[1]) < len(names):
        return ServerError(error.code, error.message[row.end():],
                           names[int(row[1])])
    return error

