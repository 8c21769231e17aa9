"""The module that is trained: normalisation and network in one."""

from collections import OrderedDict
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from ..networks import GreyLevelNormalizer, make_network
from ._packing import to_numpy
from ._seeding import seeded

# Below this side length a row of features is no picture with a contrast of its own.
SMALLEST_PICTURE = 8


def make_normalizer(normalization, images, image_shape):
    """Normalisation of a picture shape; over the dataset, fitted to `images`."""
    if normalization == "auto":
        picture = min(image_shape) >= SMALLEST_PICTURE
        normalization = "image" if picture else "dataset"
    if normalization == "image":
        return GreyLevelNormalizer()
    mean = float(np.mean(images, dtype=np.float64))
    # A block at a time: a float copy of all faces would take eight times their memory.
    blocks = np.array_split(images, max(1, len(images) // 1000))
    squares = sum(float(np.square(b - mean).sum()) for b in blocks)
    std = (squares / np.size(images)) ** 0.5
    return GreyLevelNormalizer(per_image=False, mean=mean, std=std or 1.0)


def make_module(
    network, *, params, normalizer, n_classes: int, image_shape: tuple[int, int], seed
) -> nn.Sequential:
    """Build ``normalize`` and ``network`` with seeded weights, and try it once.

    Raises
    ------
    ValueError
        If the network does not turn faces into one logit a class.
    """
    with seeded(seed, torch.device("cpu")), _float32():
        module = make_network(
            network, n_classes=n_classes, image_shape=image_shape, params=params
        )
        with torch.no_grad():
            logits = module.eval()(torch.zeros(2, 1, *image_shape))
        module.train()
    if getattr(logits, "shape", None) != (2, n_classes):
        got = tuple(getattr(logits, "shape", ())) or type(logits).__name__
        raise ValueError(
            f"The network must turn floats of shape (2, 1, {image_shape[0]}, "
            f"{image_shape[1]}) into logits of shape (2, {n_classes}), got {got}. "
            "Give its last layer n_classes outputs."
        )
    return nn.Sequential(OrderedDict(normalize=normalizer, network=module))


@contextmanager
def _float32():
    """Build in single precision, whatever torch's default dtype is."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(default)


def network_specs(
    network, *, params, n_classes: int, image_shape: tuple[int, int]
) -> dict[str, tuple]:
    """Dtype and shape of each weight of a module, without allocating any.

    Parameters
    ----------
    network, params, n_classes, image_shape
        As in `make_module`.

    Returns
    -------
    dict of str to (numpy.dtype, tuple of int)
        By the names that the whole module's weights have.
    """
    kwargs = {"n_classes": n_classes, "image_shape": image_shape, "params": params}
    try:
        with torch.device("meta"), _float32():
            module = make_network(network, **kwargs)
    except Exception:
        # A network of the user's own may compute on its weights as it is built.
        if isinstance(network, str):
            raise
        module = make_network(network, **kwargs)
    return weight_specs(nn.Sequential(OrderedDict(network=module)))


def weight_specs(module: nn.Module) -> dict[str, tuple]:
    """Dtype (NumPy's) and shape of each weight and buffer."""
    return {
        name: (_numpy_dtype(tensor.dtype), tuple(tensor.shape))
        for name, tensor in module.state_dict().items()
    }


def _numpy_dtype(dtype: torch.dtype) -> np.dtype:
    return to_numpy(torch.empty(0, dtype=dtype)).dtype
