"""Pretrained encoders: features of a classification network for grey pictures.

EfficientNet-Lite0 (Apache-2.0; Tan and Le, 2019,
https://arxiv.org/abs/1905.11946, with ReLU6 and without squeeze-and-excitation)
is shipped with the package, trained on ImageNet. The three input channels of
its stem are summed into one, because all three would see the same luminance.
`training.convert_encoder` made the file.  Any network of `keras.applications`
with strides up to 32 can replace it.
"""

import inspect
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

import tfdivcolor
from tfdivcolor.models.blocks import PACKAGE, float32
from tfdivcolor.utils.errors import reason
from tfdivcolor.utils.types import Tensor

EFFICIENTNET_LITE0 = "efficientnet_lite0"
ENCODERS = Path(tfdivcolor.__file__).parent / "weights" / "encoders"
STRIDES = (2, 4, 8, 16, 32)
# EfficientNet-Lite0, one row per stage: blocks, kernel, stride of the first
# block, expansion of the inner channels, output channels.
_LITE0 = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40),
          (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
          (1, 3, 1, 6, 320))


@keras.saving.register_keras_serializable(PACKAGE)
class Encoder(layers.Layer):
    """Features of a pretrained network at strides 2, 4, 8, 16 and 32.

    The batch norms always keep their pretrained statistics. The layers up to
    `frozen_taps` also keep their weights.

    Args:
        size: int. Side of the picture in pixels, a multiple of 32. Defaults to
            128.
        backbone: str. "efficientnet_lite0" (the default), or the name of a
            model in `keras.applications`, such as "MobileNetV2".
        frozen_taps: int, 0 to 5. Layers up to this feature are not trained.
            Defaults to 2.
        weights: "imagenet" (Keras downloads the weights of its own models),
            the path of a weights file, or None for random weights. Saved
            models hold the weights, so the configuration stores None. Defaults
            to None.

    Raises:
        ValueError: if `size` or `frozen_taps` is out of range, or if the
            backbone is unknown or lacks one of the strides.

    Example:
        encoder = models.encoder.Encoder(128, weights="imagenet")
        half, quarter, *coarser = encoder(luminance / 50 - 1)
    """

    def __init__(self, size: int = 128, backbone: str = EFFICIENTNET_LITE0,
                 frozen_taps: int = 2, weights: str | None = None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if size % STRIDES[-1]:
            raise ValueError(f"size must be a multiple of {STRIDES[-1]} "
                             f"(received {size})")
        if frozen_taps not in range(len(STRIDES) + 1):
            raise ValueError(f"frozen_taps must be 0 to {len(STRIDES)} "
                             f"(received {frozen_taps})")
        self.size = size
        self.backbone = backbone
        self.frozen_taps = frozen_taps
        self._preprocess = None
        if backbone == EFFICIENTNET_LITE0:
            self.network = efficientnet_lite0(size)
            if weights is not None:
                path = (ENCODERS / f"{backbone}.npz" if weights == "imagenet"
                        else Path(weights))
                load_weights(self.network, path)
        else:
            make, self._preprocess = application(backbone)
            self.network = _tapped(make(
                include_top=False, weights=weights,
                input_shape=(size, size, 3)), size)
        for weight in self.network.weights:
            weight.pretrained = True  # `EncoderAdam` changes it more slowly
        self.channels = [tap.shape[-1] for tap in self.network.outputs]
        self.built = True  # the network already has its weights
        self._freeze()

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        # Keras sets the flag of every inner layer; frozen layers stay frozen.
        layers.Layer.trainable.fset(  # pyright: ignore[reportOptionalCall]
            self, value)
        self._freeze()

    def _freeze(self):
        if self.frozen_taps:
            last = self.network.outputs[self.frozen_taps - 1]
            for layer in keras.Model(self.network.inputs, last).layers:
                layer.trainable = False

    def call(self, luminance_norm: Tensor) -> list[Tensor]:
        """Computes features.

        Args:
            luminance_norm: float32 [B, size, size, 1], L / 50 - 1.

        Returns:
            list of five float32 [B, size / stride, size / stride, C], for the
            strides 2 to 32, with C in `channels`.
        """
        x = luminance_norm
        if self._preprocess is not None:
            x = keras.ops.repeat(127.5 * (x + 1.0), 3, axis=-1)
            x = self._preprocess(x)
        # Inference mode keeps the statistics of batch norm.
        return float32(self.network(x, training=False))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size,
                "backbone": self.backbone, "frozen_taps": self.frozen_taps,
                "weights": None}


def efficientnet_lite0(size: int) -> keras.Model:
    """Builds EfficientNet-Lite0 without its head, for one grey channel.

    Args:
        size: int. Side of the picture in pixels.

    Returns:
        `keras.Model`, [B, size, size, 1] in -1..1 -> five features with 16,
        24, 40, 112 and 320 channels.
    """
    picture = keras.Input((size, size, 1))
    x = _activate(_norm(layers.Conv2D(
        32, 3, strides=2, padding="same", use_bias=False,
        name="stem_conv")(picture)), "stem_relu6")
    taps, number = [], 0
    for stage, (blocks, kernel, stride, expansion, filters) in enumerate(
            _LITE0):
        for block in range(blocks):
            x = _inverted_residual(
                x, kernel, 1 if block else stride, expansion, filters,
                f"block_{number}")
            number += 1
        # A tap follows the last stage before the size is halved again.
        if stage + 1 == len(_LITE0) or _LITE0[stage + 1][2] == 2:
            taps.append(x)
    return keras.Model(picture, taps, name=EFFICIENTNET_LITE0)


def _inverted_residual(x, kernel, stride, expansion, filters, name):
    y = x
    if expansion > 1:
        y = _activate(_norm(layers.Conv2D(
            expansion * x.shape[-1], 1, use_bias=False,
            name=f"{name}_expand")(y)), f"{name}_expand_relu6")
    y = _activate(_norm(layers.DepthwiseConv2D(
        kernel, strides=stride, padding="same", use_bias=False,
        name=f"{name}_depthwise")(y)), f"{name}_depthwise_relu6")
    y = _norm(layers.Conv2D(
        filters, 1, use_bias=False, name=f"{name}_project")(y))
    if stride == 1 and x.shape[-1] == filters:
        y = layers.Add(name=f"{name}_add")([x, y])
    return y


def _norm(x):
    """Adds batch norm, named after the convolution before it."""
    name = x._keras_history.operation.name
    return layers.BatchNormalization(epsilon=1e-3, name=f"{name}_norm")(x)


def _activate(x, name):
    return layers.ReLU(6.0, name=name)(x)


def load_weights(network: keras.Model, path: Path) -> None:
    """Reads all weights of an encoder.

    Args:
        network: `keras.Model`, changed in place.
        path: pathlib.Path. An .npz of LAYER/WEIGHT -> array.

    Raises:
        ValueError: if the file is missing or damaged, or does not fit.
    """
    try:
        with np.load(path) as file:
            arrays = dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error,
            TypeError) as error:  # TypeError: an array, not an archive
        raise ValueError(f"{path}: must be an encoder's weights "
                         f"(received {reason(error)})") from error
    wanted = {weight.path.removeprefix(f"{network.name}/"): weight
              for weight in network.weights}
    if different := sorted(set(arrays) ^ set(wanted)):
        raise ValueError(f"{path}: must have the weights of {network.name} "
                         f"(received others: {', '.join(different[:3])})")
    for name, weight in wanted.items():
        if arrays[name].shape != weight.shape:
            raise ValueError(
                f"{path}: {name} must have shape {list(weight.shape)} "
                f"(received {list(arrays[name].shape)})")
        weight.assign(arrays[name].astype(np.float32))


def application(name: str) -> tuple[Callable, Callable]:
    """Returns a function of `keras.applications`, and its preprocessing.

    Raises:
        ValueError: if there is no such model.
    """
    make = getattr(keras.applications, name, None)
    if not inspect.isfunction(make):
        raise ValueError(
            "backbone must be the name of a model in keras.applications "
            f"(received {name!r})")
    # Every module of an application has its own preprocessing.
    return make, sys.modules[make.__module__].preprocess_input


def _tapped(whole, size):
    """Makes a model that returns the last features at every stride."""
    last = {}
    for layer in whole.layers:
        shape = layer.output.shape if not isinstance(
            layer.output, list) else ()
        if len(shape) == 4:
            last[shape[1]] = layer.output
    missing = [stride for stride in STRIDES if size // stride not in last]
    if missing:
        raise ValueError(
            f"backbone must have features at strides {STRIDES} "
            f"({whole.name} lacks {missing})")
    return keras.Model(whole.inputs, [last[size // s] for s in STRIDES],
                       name=whole.name)
