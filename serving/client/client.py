"""Colourises photographs on a server: TensorFlow Serving with our model.

    client = serving.client.connect("http://127.0.0.1:8501")  # REST
    client = serving.client.connect("127.0.0.1:8500")         # gRPC
    result = client.colorize("photo.jpg", num_samples=8, seed=0)
    result.images  # uint8 [8, H, W, 3], safest first

REST needs no TensorFlow.  `serving.client.command` is the command, `python -m
serving.client`.
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
    """Makes a client. It contacts the server in its first call.

    Args:
        server: str. "http://HOST:PORT" for REST, "HOST:PORT" for gRPC.
            Defaults to `DEFAULT_SERVER`.
        **options: model, version, label, timeout, max_attempts, api_key, as
            in `Endpoint`.

    Returns:
        `Client`, a context manager that closes its connections.

    Raises:
        ValueError: if an argument is outside its range.
    """
    return Client(transport_to(Endpoint(server, **options)))


def transport_to(endpoint):
    """Returns a `RestClient` or `GrpcClient`, as `endpoint.server` requires."""
    if endpoint.is_rest:
        from serving.client.rest_client import RestClient

        return RestClient(endpoint)
    from serving.client.grpc_client import GrpcClient

    return GrpcClient(endpoint)


@dataclass(frozen=True, eq=False)
class ServedColoring:
    """S colourings of one photograph from a server.

    Attributes:
        encoded: list of S bytes. Image files at the photograph's size, as
            received: PNG, or JPEG if the export chose JPEG.
        log_prob: float32 [S]. log p(z | grey image), nats.
        name: str. The photograph's name.
        sent: bytes. The image file sent to the server.
        share: float32 [S], 0 to 1, as in `Coloring`. None for models exported
            by tfdivcolor 0.5, which return no shares.
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
        """The grey photograph: uint8 [H, W, 3]. Imports TensorFlow."""
        from tfdivcolor.color import canvas

        luminance = canvas.luminance_of(images.read(self.sent).pixels)
        return canvas.join(
            luminance, np.zeros([1, 1, 2], np.float32)).numpy()

    def image(self, index):
        """One colouring at the photograph's size: uint8 [H, W, 3]."""
        return images.read(self.encoded[index]).pixels


class Client:
    """Colourises photographs on a server.  Threads may share one client.

    Args:
        transport: `RestClient` or `GrpcClient`.
    """

    def __init__(self, transport):
        self.endpoint = transport.endpoint
        self._transport = transport

    def colorize(self, source, num_samples=DEFAULTS.num_samples,
                 seed=DEFAULTS.seed, temperature=DEFAULTS.temperature):
        """Colourises one photograph at its own size.

        The settings default to `settings.DEFAULTS`.

        Args:
            source: any source of `images.read`: path, bytes, open file, PIL
                image or array. A colour picture works too: the model uses its
                luminance.
            num_samples: int S. A model exported without the signature
                colorize_n accepts only the number that it was exported with.
            seed: int64.
            temperature: float, 0 or more.

        Returns:
            `ServedColoring`.

        Raises:
            images.ImageError: a ValueError, if the source is not a readable
                picture.
            ValueError: if another argument is outside its range.
            ServerError: if the server refuses the call or does not answer.
        """
        return self._colorize([source], [upload.name_of(source)],
                              Sampling(num_samples, seed, temperature))[0]

    def colorize_batch(self, sources, num_samples=DEFAULTS.num_samples,
                       seed=DEFAULTS.seed, temperature=DEFAULTS.temperature):
        """Colourises several photographs in one call.

        If one photograph fails, the whole call fails.

        Args:
            sources: sequence of sources as in `colorize`. Sizes may differ.
            num_samples, seed, temperature: as in `colorize`, the same for
                all. A photograph's result does not depend on the others.

        Returns:
            list of `ServedColoring`.

        Raises:
            ImageError, ValueError, ServerError: as in `colorize`. Messages
                call a picture without a path sources[i].
        """
        names = [upload.name_of(source, f"sources[{i}]")
                 for i, source in enumerate(sources)]
        return self._colorize(
            sources, names, Sampling(num_samples, seed, temperature))

    def signature_for(self, num_samples):
        """Name of the signature that returns `num_samples` colourings.

        The client asks the server for its signatures once, here or in its
        first call.

        Args:
            num_samples: int.

        Returns:
            str. "colorize_n", or "colorize" if the model lacks that.

        Raises:
            ValueError: if the model cannot return that number.
            ServerError: if the server does not answer or serves a model that
                tfdivcolor did not export.
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
    """Makes the inputs of a signature that colourises image files.

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
    """The error with the picture's name instead of its row in the call."""
    row = _ROW.match(error.message)
    # A server that batches calls may count the rows of other calls, too.
    if row and int(row[1]) < len(names):
        return ServerError(error.code, error.message[row.end():],
                           names[int(row[1])])
    return error

