"""Convolutional networks for small grey-scale faces; this package knows torch alone.

Each network is a plain :class:`torch.nn.Module` from float faces of shape
``(batch, 1, height, width)`` to logits of shape ``(batch, n_classes)``.

==========  ==========  ==================  ===========================================
name        parameters  multiplications     meant for
==========  ==========  ==================  ===========================================
"nano"      579 k       21 million a face   video, phones, large batches
"compact"   837 k       95 million a face   the default: accurate for its cost on a CPU
"large"     3.3 M       377 million a face  the highest accuracy, long trainings
"baseline"  1.34 M      249 million a face  the Keras baseline
==========  ==========  ==================  ===========================================
"""

import os

import torch

from ._baseline import BaselineNet
from ._convnet import ConvNet, compact, large, nano
from ._grey_levels import GreyLevelNormalizer
from ._registry import NETWORKS, make_network

__all__ = [
    "NETWORKS",
    "BaselineNet",
    "ConvNet",
    "GreyLevelNormalizer",
    "compact",
    "large",
    "make_network",
    "nano",
]

# torch starts threads as soon as weights are loaded. A forked process (a worker of
# `gunicorn --preload` or of multiprocessing.Pool) has none of them and would wait for
# them forever, so torch works on one thread there.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
