"""Prediction with a fitted network."""

from collections import Counter
from copy import deepcopy
from itertools import pairwise

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Predictor:
    """A fitted module in the form that predicts fastest.

    Parameters
    ----------
    fitted : torch.nn.Module
        The module; it is put into evaluation mode.
    device : torch.device
        Where it predicts.
    """

    def __init__(self, fitted: nn.Module, device: torch.device):
        self.device = device
        self.fitted = fitted.to(device, memory_format=torch.channels_last).eval()
        self.folded = fold_batch_norm(fitted)
        self.weights = list(fitted.state_dict(keep_vars=True).values())
        self.versions = self._versions()

    def module(self) -> nn.Module:
        """Fold the module, again only if its weights have changed since."""
        versions = self._versions()
        if versions != self.versions:
            self.folded, self.versions = fold_batch_norm(self.fitted), versions
        return self.folded

    def _versions(self):
        # A change in place, such as that by load_state_dict, increases the version of
        # a tensor; tensors made in inference mode have none.
        return [
            (weight.data_ptr(), None if weight.is_inference() else weight._version)
            for weight in self.weights
        ]


def fold_batch_norm(module: nn.Module) -> nn.Module:
    """Copy a module for prediction, batch normalisation folded into convolutions.

    Only pairs that follow each other in a plain `Sequential` are folded: there the
    order of execution is known. Everything else is copied as it is.

    Parameters
    ----------
    module : torch.nn.Module
        The fitted module; it is left alone.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, needing no gradients, in channels-last memory order.
    """
    folded = deepcopy(module).eval().requires_grad_(False)
    uses = Counter(id(m) for _, m in folded.named_modules(remove_duplicate=False))
    for parent in folded.modules():
        if type(parent).forward is not nn.Sequential.forward:
            continue
        children = list(parent.named_children())
        for (name, first), (next_name, second) in pairwise(children):
            pair = _is_plain(first, nn.Conv2d) and _is_plain(second, nn.BatchNorm2d)
            pair = pair and second.running_mean is not None
            # A layer that is used in two places cannot be folded.
            if pair and uses[id(first)] == uses[id(second)] == 1:
                setattr(parent, name, fuse_conv_bn_eval(first, second))
                setattr(parent, next_name, nn.Identity())
    return folded.to(memory_format=torch.channels_last)


def _is_plain(layer, cls) -> bool:
    # A parametrised layer has its own class; weight and spectral norm are hooks.
    return type(layer) is cls and not (layer._forward_pre_hooks or layer._forward_hooks)


@torch.inference_mode()
def compute_logits(
    module: nn.Module,
    faces: np.ndarray,
    *,
    device: torch.device,
    batch_size: int = 256,
    flip: bool = False,
) -> np.ndarray:
    """Compute the logits of faces, batch by batch.

    Parameters
    ----------
    module : torch.nn.Module
        From ``(batch, height, width)`` grey levels to logits, in evaluation mode.
    faces : ndarray of shape (n_samples, height, width)
        Grey levels of any dtype.
    device : torch.device
        Where the module is.
    batch_size : int, default=256
        Faces at a time.
    flip : bool, default=False
        Average the logits of each face and its mirror image.

    Returns
    -------
    ndarray of shape (n_samples, n_classes), float32
    """
    parts = []
    for start in range(0, len(faces), batch_size):
        array = np.ascontiguousarray(faces[start : start + batch_size])
        # A copy where the array is read-only: torch would warn of it.
        batch = torch.from_numpy(array if array.flags.writeable else array.copy())
        batch = batch.to(device)
        logits = module(batch).float()
        if flip:
            logits = (logits + module(batch.flip(-1)).float()) / 2
        parts.append(logits.cpu().numpy())
    return np.concatenate(parts)


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """Find the temperature, between 0.05 and 20, of the least log loss.

    Parameters
    ----------
    logits : ndarray of shape (n_samples, n_classes)
        Logits of held-out faces.
    targets : ndarray of shape (n_samples,)
        Their class indices.

    Returns
    -------
    float

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", 2017.
    """
    rows = np.arange(len(targets))

    def log_loss(log_temperature):
        scaled = logits.astype(np.float64) / np.exp(log_temperature)
        return -log_softmax(scaled, axis=1)[rows, targets].mean()

    bounds = (np.log(0.05), np.log(20))
    return float(np.exp(minimize_scalar(log_loss, bounds=bounds, method="bounded").x))
