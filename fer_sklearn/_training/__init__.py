"""The skorch side: batches, training step, schedule, averaging, checkpoints."""

from ._build import OPTIMIZERS, make_callbacks, make_net
from ._calibration import fit_temperature, softmax
from ._checkpoint import draw_seed
from ._dataset import FaceDataset, weights_of_classes
from ._devices import resolve_device, resolve_or_cpu
from ._fit_tasks import FitTasks
from ._history import history_frame, restore_history
from ._module import make_module, make_normalizer, network_specs
from ._net import FaceNet
from ._packing import (
    go_on_from,
    library_versions,
    pack_net,
    unpack_optimizer,
    unpack_weights,
    warn_of_other_versions,
)
from ._prediction import Predictor, compute_logits
from ._pretrained import start_from
from ._seeding import seeded

__all__ = [
    "OPTIMIZERS",
    "FaceDataset",
    "FaceNet",
    "FitTasks",
    "Predictor",
    "compute_logits",
    "draw_seed",
    "fit_temperature",
    "go_on_from",
    "history_frame",
    "library_versions",
    "make_callbacks",
    "make_module",
    "make_net",
    "make_normalizer",
    "network_specs",
    "pack_net",
    "resolve_device",
    "resolve_or_cpu",
    "restore_history",
    "seeded",
    "softmax",
    "start_from",
    "unpack_optimizer",
    "unpack_weights",
    "warn_of_other_versions",
    "weights_of_classes",
]
