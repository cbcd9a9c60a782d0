"""Names of the baselines, and the files of trained ones."""

import zipfile
from pathlib import Path

import keras

from tfdivcolor.evaluation.baselines.base import Baseline
from tfdivcolor.evaluation.baselines.cgan import ConditionalGAN
from tfdivcolor.evaluation.baselines.cvae import ConditionalVAE
from tfdivcolor.evaluation.baselines.regression import RegressionCNN

MODELS = {"cvae": ConditionalVAE, "regression": RegressionCNN,
          "cgan": ConditionalGAN}


def load(path: str | Path) -> Baseline:
    """Loads a trained baseline.

    Args:
        path: str or path of a .keras file written by `training.baselines`.

    Returns:
        `ConditionalVAE`, `RegressionCNN` or `ConditionalGAN`.

    Raises:
        ValueError: if the file does not exist, is damaged or holds another
            model.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"{path}: must be a file of training.baselines (received a path "
            "that does not exist)")
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()  # Keras does not check checksums
        if damaged:
            raise ValueError(f"{damaged} has a wrong checksum")
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras and HDF5 raise many kinds
        first = (str(error).strip() or repr(error)).splitlines()[0]
        raise ValueError(
            f"{path}: must be a whole .keras file (received: {first})"
        ) from error
    if not isinstance(model, Baseline):
        raise ValueError(
            f"{path}: must hold one of {', '.join(MODELS)} "
            f"(received {type(model).__name__})")
    return model
