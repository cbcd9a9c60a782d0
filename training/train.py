"""Trains a Colorizer: `python -m training.train --config lfw`.

To continue a stopped run, give the same command again: it resumes from the
last checkpoint.
"""

import argparse
import contextlib
import dataclasses
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from tfdivcolor.utils.errors import reason


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True,
                        help="photos, lfw_base, lfw, flowers, paper_skip "
                        "or smoke; training/configs.py describes them")
    parser.add_argument("--data", help="training pictures: folder, .tar/.tgz "
                        "archive, TFRecord pattern or prepared folder "
                        "(default: the configuration's)")
    parser.add_argument("--workdir", type=Path,
                        help="folder for checkpoints, logs and the trained "
                        "model (default: runs/CONFIG)")
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE",
                        help="change fields of the configuration, for "
                        "example batch_size=64")
    parser.add_argument("--strategy", default="none",
                        choices=["none", "mirrored", "multiworker"],
                        help="mirrored: all GPUs of this machine; multiworker: "
                        "all GPUs of every machine in TF_CONFIG; "
                        "training/strategies.py explains how (default: "
                        "%(default)s)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    # Imported here so that --help does not wait for TensorFlow.
    import tensorflow as tf

    from tfdivcolor import data
    from training import configs, loop, strategies, synthetic

    try:
        config = configs.get(options.config, options.set)
        workdir = options.workdir or Path("runs") / config.name
        strategy = strategies.make(options.strategy)
        workers = strategies.Workers(strategy)
        with workers.together():
            source = options.data or config.data
            if source is None:
                source = workdir / "pictures"
                if workers.chief:
                    synthetic.write_folder(source)
                workers.wait()
            train, validation = (
                _load(config, source, workdir, subset, workers.chief)
                for subset in data.SUBSETS)
            with _asked_to_stop() as stop:
                terms = loop.train_and_evaluate(
                    config, workdir, train, validation, strategy, stop.is_set)
    except loop.Stopped as stopped:
        print(f"{stopped}; run the same command to continue")
        return 0
    except KeyboardInterrupt:
        print(f"training: stopped; run the same command to continue from the "
              f"last checkpoint in {workdir}", file=sys.stderr)
        return 130
    except (ValueError, FloatingPointError, ImportError, OSError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    except tf.errors.OpError as error:
        print(f"training: {reason(error)}", file=sys.stderr)
        return 1
    except strategies.WorkerLost as error:
        print(f"training: {error}; run the same commands to continue from the "
              f"last checkpoint in {workdir}", file=sys.stderr)
        return 1
    if not workers.chief:
        print(f"worker {workers.index} of {workers.count}: done; the chief "
              f"worker wrote {workdir}")
        return 0
    print("validation: " + ", ".join(
        f"{name} {value:.3f}" for name, value in terms.items()))
    print(f"wrote {workdir / 'model'} (for tdc.load), {workdir / 'grids'}, "
          f"{workdir / 'log.jsonl'}; tensorboard --logdir {workdir}")
    return 0


def _load(config, source, workdir, subset, progress):
    """The pictures of a subset, with the configuration's options."""
    from tfdivcolor import data, presets
    from tfdivcolor.data import sources

    preset = presets.get(config.preset, **config.preset_options)
    options = {}
    if config.on_demand:
        if sources.source_of(source) is sources.from_tfrecord:
            options["on_demand"] = True
        else:
            # The decoded pictures may not fit into memory.
            options["cache"] = workdir / "fields"
    photos = data.load(
        source, canvas=preset.canvas, luminance_size=preset.luminance_size,
        margin=config.margin if subset == "train" else 0, subset=subset,
        validation_fraction=config.validation_fraction, squash=config.squash,
        progress=progress, **options)
    return dataclasses.replace(photos, balance=config.balance)


@contextlib.contextmanager
def _asked_to_stop():
    """An event that SIGTERM sets. Machines send it before they shut down."""
    stop = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
