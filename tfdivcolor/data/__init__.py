"""Photographs as batches for training.

    photographs = from_directory("photos/", cache="cache/")
    for batch in photographs.batches(32, seed=0, augment=Augmentation()):
        batch["luminance"], batch["ab"], batch["seed"]

`sources` finds the pictures of folders, archives and TFRecord shards.
`loading` decodes each picture once. `photo_cache` keeps the fields. `photo_set`
draws batches from them, varied by `augmentation`.
"""

from tfdivcolor.data.augmentation import Augmentation, augment
from tfdivcolor.data.loading import (
    from_archive,
    from_cache,
    from_directory,
    from_tfrecord,
    load,
)
from tfdivcolor.data.photo_cache import SUBSETS
from tfdivcolor.data.photo_set import GREY, Batch, PhotoSet, Skipped
from tfdivcolor.data.sources import group_of, is_validation, names_in
from tfdivcolor.data.tfrecords import write_tfrecords

__all__ = [
    "Augmentation", "Batch", "GREY", "PhotoSet", "SUBSETS", "Skipped",
    "augment", "from_archive", "from_cache", "from_directory",
    "from_tfrecord", "group_of", "is_validation", "load", "names_in",
    "write_tfrecords",
]
