"""A run's folder: of one configuration and one set of pictures."""

import dataclasses
import hashlib
import json
from pathlib import Path

from tfdivcolor.data import PhotoSet
from tfdivcolor.utils import files
from training.configs import Config


def fingerprint(train: PhotoSet, validation: PhotoSet) -> str:
    """SHA-256 of the names of the pictures of both sets, in hexadecimal."""
    names = "\n".join([*train.names, "", *validation.names])
    return hashlib.sha256(names.encode()).hexdigest()


def claim(workdir: Path, config: Config, pictures: str,
          make: bool = True) -> None:
    """Makes the run's folder, or checks that it is this run's.

    That is one of the same configuration and pictures: a resumed run of
    others would be another.

    Args:
        workdir: pathlib.Path.
        config: `configs.Config`.
        pictures: str, of `fingerprint`.
        make: bool. False: the folder must be there.

    Raises:
        ValueError: if it is of another run, or not there.
    """
    path = workdir / "config.json"
    wanted = json.loads(json.dumps({
        **dataclasses.asdict(config),
        "pictures_sha256": pictures}))
    if path.exists():
        # Runs of 0.4 have batches in one part.
        found = {"accumulate": 1, **json.loads(path.read_text())}
        different = sorted(key for key in wanted
                           if found.get(key) != wanted[key])
        if different:
            raise ValueError(
                f"{workdir}: holds another run ({', '.join(different)} "
                "differ); give another --workdir")
    elif make:
        workdir.mkdir(parents=True, exist_ok=True)
        files.write_atomically(
            path, (json.dumps(wanted, indent=1) + "\n").encode())
    else:
        raise ValueError(
            f"{workdir}: must be one folder that all workers share "
            "(received one without the chief's config.json)")
