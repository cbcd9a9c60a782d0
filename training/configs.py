"""Training configurations: one for each data set, every value written out.

    python -m training.train --config lfw --data data/lfw

Any field can be changed on the command line: `--set seed=1 batch_size=64`.
"""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tfdivcolor.data import Augmentation
from tfdivcolor.models.joint import STAGES
from tfdivcolor.models.optimizers import ENCODER_RATE

PRECISIONS = ("float32", "mixed_bfloat16")


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    Attributes:
        name: "vae", "mdn" (on the frozen VAE's posteriors) or "joint".
        epochs: float. Less than 1 trains on part of an epoch.
        learning_rate: float. Adam's peak learning rate. A linear warm-up
            precedes it; half a cosine, down to a hundredth, follows.
            Defaults to 1e-3.
    """

    name: str
    epochs: float
    learning_rate: float = 1e-3

    def __post_init__(self):
        if self.name not in STAGES:
            raise ValueError(
                f"stage must be one of {', '.join(STAGES)} "
                f"(received {self.name!r})")
        if not isinstance(self.epochs, int | float) or not self.epochs > 0:
            raise ValueError(
                f"epochs must be a number above 0 (received {self.epochs!r})")


@dataclass(frozen=True)
class Config:
    """Everything that a training run depends on, besides the pictures.

    The class body gives the defaults.

    Attributes:
        name: str. The name for --config.
        stages: tuple of `Stage`, run one after the other.
        preset: str. A name in `tfdivcolor.presets`.
        preset_options: dict. Fields of the preset to change.
        init: str or None. Initial weights: a shipped name or a folder saved
            by Colorizer.save. None takes random weights.
        data: str or None. Folder, archive, TFRecord pattern or a folder
            prepared by `training.prepare_lfw`. None generates pictures.
        batch_size: int. Pictures of a batch, on all replicas together.
        accumulate: int, 1 or more. Each replica computes its rows of a batch
            in this number of parts, one after the other, and sums their
            gradients: memory for one part, gradient of the whole batch.
            Batch norm sees one part at a time.
        margin: int. Pixels of the decoded fields beyond the canvas, for
            random crops.
        validation_fraction: float. Share of people (or files) held out for
            validation.
        seed: int. Seeds initial weights, order, augmentation and noise.
        warmup_steps: int. Steps of linear learning-rate warm-up.
        ema_momentum: float. Momentum of the moving average of the weights.
            The averaged weights are evaluated and saved.
        clip_norm: float. Largest global norm of the gradients.
        encoder_rate: float. Factor on the learning rate of a pretrained
            encoder.
        precision: "float32", or "mixed_bfloat16" for convolutions and dense
            layers in bfloat16; densities, losses and weights stay float32.
        augmentation: `data.Augmentation`. Random changes of the pictures.
        balance: float, 0 to 1. 0 draws pictures evenly, 1 draws sources
            evenly; see `PhotoSet`.
        on_demand: bool. True decodes each picture when a batch needs it,
            False all pictures before training. TFRecord files only.
        squash: bool. True squashes whole pictures to squares, False takes
            their centres.
        checkpoint_minutes: float. Minutes between checkpoints.
        deterministic: bool. True uses TensorFlow's deterministic operations,
            which are slower.
    """

    name: str
    stages: tuple[Stage, ...]
    preset: str = "regions"
    preset_options: dict[str, Any] = field(default_factory=dict)
    init: str | None = None
    data: str | None = None
    batch_size: int = 32
    accumulate: int = 1
    margin: int = 16
    validation_fraction: float = 0.08
    seed: int = 0
    warmup_steps: int = 300
    ema_momentum: float = 0.999
    clip_norm: float = 20.0
    encoder_rate: float = ENCODER_RATE
    precision: str = "float32"
    augmentation: Augmentation = Augmentation()
    balance: float = 0.0
    on_demand: bool = False
    squash: bool = False
    checkpoint_minutes: float = 3.0
    deterministic: bool = False

    def __post_init__(self):
        if self.accumulate < 1:
            raise ValueError(
                f"accumulate must be 1 or more (received {self.accumulate})")
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"precision must be one of {', '.join(PRECISIONS)} "
                f"(received {self.precision!r})")


CONFIGS = {
    # Labeled Faces in the Wild, in two runs. The first trains a shallow
    # network from random weights. The second trains a deeper network from
    # the first, with the mixture's energy score in the joint stage, and then
    # the mixture alone.
    #   python -m training.prepare_lfw --out data/lfw
    #   python -m training.train --config lfw_base --data data/lfw
    #   python -m training.train --config lfw --data data/lfw
    "lfw_base": Config(
        name="lfw_base", data="data/lfw",
        preset_options={
            "depth": 0, "dropout": 0.2,
            "loss_weights": {"l2": 1.0, "gradient": 0.1, "kl": 0.02}},
        stages=(Stage("joint", epochs=28),)),
    "lfw": Config(
        name="lfw", data="data/lfw", init="runs/lfw_base/model",
        stages=(Stage("joint", epochs=24, learning_rate=7e-4),
                Stage("mdn", epochs=3, learning_rate=5e-4))),
    # Flowers, or any folder of a few thousand photographs, from the LFW
    # weights.
    #   python -m training.train --config flowers --data flowers.tgz
    "flowers": Config(
        name="flowers", data="data/flowers", init="lfw",
        stages=(Stage("joint", epochs=14, learning_rate=7e-4),
                Stage("mdn", epochs=4, learning_rate=5e-4))),
    # Photographs of every kind, on the pretrained encoder, in two stages.
    # The shipped weights come from several such runs, each of which begins
    # with the model of the run before (--set init=...). Their card lists
    # the runs.
    #   python -m training.write_tfrecords NAME=FOLDER... --size 128 \
    #       --out shards/photos
    #   python -m training.train --config photos --data 'shards/*.tfrecord'
    "photos": Config(
        name="photos", data="data/photos-*.tfrecord", preset="photos",
        stages=(Stage("joint", epochs=8, learning_rate=1e-3),
                Stage("mdn", epochs=2, learning_rate=5e-4)),
        margin=0, validation_fraction=0.01,
        augmentation=Augmentation.film(), balance=0.5, on_demand=True,
        squash=True),
    # The published method on the same data. Its ten epochs need a GPU.
    "paper_skip": Config(
        name="paper_skip", data="data/lfw", preset="paper_skip",
        stages=(Stage("vae", epochs=10), Stage("mdn", epochs=10))),
    # A check that training works: every stage of the same code on 48
    # generated pictures, in under two minutes on two cores. The trained model
    # is useless.
    "smoke": Config(
        name="smoke",
        preset_options={"canvas": 32, "num_regions": 8,
                        "widths": (8, 12, 16, 24), "feature_channels": 8,
                        "depth": 1, "num_components": 4, "rank": 2},
        stages=(Stage("vae", epochs=4), Stage("mdn", epochs=4),
                Stage("joint", epochs=6)),
        batch_size=8, margin=4, validation_fraction=0.2, warmup_steps=4,
        ema_momentum=0.9, checkpoint_minutes=0.02, deterministic=True),
}


def get(name: str, assignments: Iterable[str] = ()) -> Config:
    """Returns a configuration with changed fields.

    Args:
        name: str, one of `CONFIGS`.
        assignments: iterable of str "field=value". A value is JSON; other
            text is a string. "epochs=N" sets the epochs of every stage,
            "joint.epochs=N" and "joint.learning_rate=R" those of one stage.
            Defaults to no changes.

    Returns:
        `Config`.

    Raises:
        ValueError: if the name or a field is unknown, or a value has another
            type than its field.
    """
    if name not in CONFIGS:
        raise ValueError(
            f"config must be one of {', '.join(CONFIGS)} (received {name!r})")
    config = CONFIGS[name]
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator:
            raise ValueError(
                f"--set: must be FIELD=VALUE (received {assignment!r})")
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        config = _change(config, key, value)
    return config


def _change(config, key, value):
    if key == "epochs":
        return dataclasses.replace(config, stages=tuple(
            dataclasses.replace(stage, epochs=value)
            for stage in config.stages))
    stage, dot, field_name = key.partition(".")
    if dot:
        return dataclasses.replace(
            config, stages=_change_stage(config.stages, stage, field_name,
                                         value))
    changeable = {f.name: f.type for f in dataclasses.fields(Config)
                  if f.name not in ("name", "stages", "augmentation")}
    if key not in changeable:
        raise ValueError(
            f"--set: FIELD must be one of epochs, STAGE.epochs, "
            f"STAGE.learning_rate, {', '.join(changeable)} "
            f"(received {key!r})")
    current = getattr(config, key)
    if type(value) is int and isinstance(current, float):
        value = float(value)
    if key in ("init", "data"):
        wanted = (str, type(None))
    else:
        wanted = (type(current),)
    if type(value) not in wanted:
        raise ValueError(
            f"{key} must be of type {wanted[0].__name__} "
            f"(received {value!r})")
    return dataclasses.replace(config, **{key: value})


def _change_stage(stages, name, field_name, value):
    names = [stage.name for stage in stages]
    if name not in names or field_name not in ("epochs", "learning_rate"):
        raise ValueError(
            f"--set: FIELD must be epochs or learning_rate of one of the "
            f"stages {', '.join(names)} "
            f"(received {name}.{field_name})")
    if not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"{name}.{field_name} must be a number above 0 "
                         f"(received {value!r})")
    return tuple(
        dataclasses.replace(stage, **{field_name: value})
        if stage.name == name else stage for stage in stages)
