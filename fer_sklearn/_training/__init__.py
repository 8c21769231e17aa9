"""The skorch side: batches, training step, schedule, averaging, checkpoints."""

from ._build import OPTIMIZERS, WITHOUT_EFFECT, make_net, make_parts
from ._calibration import fit_temperature, softmax
from ._checkpoint import Checkpoint
from ._dataset import FaceDataset
from ._devices import resolve_device
from ._history import plain_history, restore_history
from ._module import make_module, make_normalizer, network_specs
from ._net import FaceNet
from ._packing import (
    library_versions,
    pack_net,
    unpack_optimizer,
    unpack_weights,
    warn_of_other_versions,
)
from ._prediction import compute_logits, fold_batch_norm
from ._pretrained import start_from
from ._seeding import EpochSeeds, seeded

__all__ = [
    "OPTIMIZERS",
    "WITHOUT_EFFECT",
    "Checkpoint",
    "EpochSeeds",
    "FaceDataset",
    "FaceNet",
    "compute_logits",
    "fit_temperature",
    "fold_batch_norm",
    "library_versions",
    "make_module",
    "make_net",
    "make_normalizer",
    "make_parts",
    "network_specs",
    "pack_net",
    "plain_history",
    "resolve_device",
    "restore_history",
    "seeded",
    "softmax",
    "start_from",
    "unpack_optimizer",
    "unpack_weights",
    "warn_of_other_versions",
]
