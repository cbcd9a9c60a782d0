"""Colourises photographs on a server: TensorFlow Serving with our model.

    client = serving.client.connect("http://127.0.0.1:8501")  # REST
    client = serving.client.connect("127.0.0.1:8500")         # gRPC
    result = client.colorize("photo.jpg", num_samples=8, seed=0)
    result.images  # uint8 [8, H, W, 3], safest first
    jacket = tfdivcolor.Hint(120, 80, (178, 34, 34))
    result = client.colorize("photo.jpg", hints=[jacket], warmth=5)

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
from tfdivcolor.settings import DEFAULTS, UNSTEERED, Sampling, Steering

DEFAULT_SERVER = "http://127.0.0.1:8501"

# Row of a picture, and which of its hints, in the model's messages.
_ROW = re.compile(r"(?:image_bytes\[(\d+)\]|hints\[(\d+), (\d+)\]): ")
_HINTED = "colorize_hinted"


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
        steering: `settings.Steering` that made it.
        hints_before: float32 [N], as in `Coloring`: distance of the first
            result without hints to each hint, ab in CIE units.
        hints_after: float32 [S, N], as in `Coloring`: distance of every
            result to each hint.
    """

    encoded: list = field(repr=False)
    log_prob: np.ndarray
    name: str
    sent: bytes = field(repr=False)
    share: np.ndarray | None = None
    steering: Steering = UNSTEERED
    hints_before: np.ndarray = field(
        default_factory=lambda: np.zeros([0], np.float32), repr=False)
    hints_after: np.ndarray = field(
        default_factory=lambda: np.zeros([0, 0], np.float32), repr=False)

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
                 seed=DEFAULTS.seed, temperature=DEFAULTS.temperature,
                 hints=(), warmth=UNSTEERED.warmth,
                 saturation=UNSTEERED.saturation):
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
            hints, warmth, saturation: as in `settings.Steering`. They need a
                model with the signature colorize_hinted, unless they equal
                those of `UNSTEERED`.

        Returns:
            `ServedColoring`.

        Raises:
            images.ImageError: a ValueError, if the source is not a readable
                picture.
            ValueError: if another argument is outside its range.
            ServerError: if the server refuses the call or does not answer.
        """
        return self._colorize(
            [source], [upload.name_of(source)],
            Sampling(num_samples, seed, temperature), [Steering(
                hints=hints, warmth=warmth, saturation=saturation)])[0]

    def colorize_batch(self, sources, num_samples=DEFAULTS.num_samples,
                       seed=DEFAULTS.seed, temperature=DEFAULTS.temperature,
                       hints=None, warmth=UNSTEERED.warmth,
                       saturation=UNSTEERED.saturation):
        """Colourises several photographs in one call.

        If one photograph fails, the whole call fails.

        Args:
            sources: sequence of sources as in `colorize`. Sizes may differ.
            num_samples, seed, temperature, warmth, saturation: as in
                `colorize`, the same for all. A photograph's result does not
                depend on the others.
            hints: sequence of a list of hints for each source, or None.
                Defaults to None.

        Returns:
            list of `ServedColoring`.

        Raises:
            ImageError, ValueError, ServerError: as in `colorize`. Messages
                call a picture without a path sources[i].
        """
        names = [upload.name_of(source, f"sources[{i}]")
                 for i, source in enumerate(sources)]
        hints = [()] * len(names) if hints is None else list(hints)
        if len(hints) != len(names):
            raise ValueError("hints must be a list for each source "
                             f"(received {len(hints)} for {len(names)})")
        return self._colorize(
            sources, names, Sampling(num_samples, seed, temperature),
            [Steering(hints=mine, warmth=warmth, saturation=saturation)
             for mine in hints])

    def signature_for(self, num_samples, steered=False):
        """Name of the signature that returns `num_samples` colourings.

        The client asks the server for its signatures once, here or in its
        first call.

        Args:
            num_samples: int.
            steered: bool. Whether the call has hints, warmth or saturation.
                Defaults to False.

        Returns:
            str. "colorize_hinted" if steered; otherwise "colorize_n", or
            "colorize" if the model lacks "colorize_n".

        Raises:
            ValueError: if the model cannot return that number, or cannot be
                steered.
            ServerError: if the server does not answer or serves a model that
                tfdivcolor did not export.
        """
        if steered:
            if _HINTED in self._signatures:
                return _HINTED
            raise ValueError(
                "hints, warmth and saturation must go to a model with the "
                f"signature {_HINTED}; export {self.endpoint.model} again, "
                "without --batchable (received "
                f"{', '.join(sorted(self._signatures)) or 'none'})")
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

    def _colorize(self, sources, names, sampling, steering):
        data = [upload.encode(source, name)
                for source, name in zip(sources, names)]
        steered = any(each != UNSTEERED for each in steering)
        signature = self.signature_for(sampling.num_samples, steered)
        try:
            outputs = self._transport.predict(
                signature, inputs_of(signature, data, sampling, steering))
        except ServerError as error:
            raise _about_picture(error, names) from error
        rows = {name: np.asarray(outputs[name], np.float32)
                for name in ("log_prob", "share", "hint_distance",
                             "hint_distance_before") if name in outputs}
        return [
            ServedColoring(
                list(encoded), rows["log_prob"][row], name, sent,
                rows["share"][row] if "share" in rows else None,
                **_distances(rows, row, steered))
            for row, (encoded, name, sent, steered) in enumerate(zip(
                outputs["colorized_bytes"], names, data, steering))]


def inputs_of(signature, data, sampling, steering=()):
    """Makes the inputs of a signature that colourises image files.

    Args:
        signature: "serving_default", "colorize", "colorize_n" or
            "colorize_hinted".
        data: list of B bytes, image files.
        sampling: `Sampling`.
        steering: list of B `Steering` for "colorize_hinted", alike except for
            the hints. Defaults to ().

    Returns:
        dict from an input's name to a list of bytes or an array.
    """
    inputs = {"image_bytes": data}
    if signature == "serving_default":
        return inputs
    seed = np.int64(sampling.seed)
    temperature = np.float32(sampling.temperature)
    if signature == "colorize":
        return {**inputs, "seed": np.full(len(data), seed),
                "temperature": np.full(len(data), temperature)}
    inputs |= {"num_samples": np.int32(sampling.num_samples), "seed": seed,
               "temperature": temperature}
    if signature == _HINTED:
        inputs |= {"hints": _padded([each.hints for each in steering]),
                   "saturation": np.float32(steering[0].saturation),
                   "warmth": np.float32(steering[0].warmth)}
    return inputs


def _padded(hints):
    """Hints of B pictures as float32 [B, H, 5], with NaN for missing ones."""
    # At least one hint: JSON gives no row length for an empty list.
    most = max(1, *map(len, hints))
    array = np.full([len(hints), most, 5], np.nan, np.float32)
    for row, mine in zip(array, hints):
        for place, hint in zip(row, mine):
            place[:] = hint.x, hint.y, *hint.rgb
    return array


def _distances(rows, row, steering):
    """The steering attributes of a `ServedColoring`, as a dict."""
    if "hint_distance" not in rows:
        return {}
    count = len(steering.hints)
    return {"steering": steering,
            "hints_before": rows["hint_distance_before"][row, :count],
            "hints_after": rows["hint_distance"][row, :, :count]}


def _about_picture(error, names):
    """The error with the picture's name instead of its row in the call."""
    found = _ROW.match(error.message)
    if not found:
        return error
    row = int(found[1] or found[2])
    # A server that batches calls may count the rows of other calls, too.
    if row >= len(names):
        return error
    hint = f"hints[{found[3]}]: " if found[3] else ""
    return ServerError(
        error.code, hint + error.message[found.end():], names[row])
