"""The module that is trained: a normalisation and a network, from a seed."""

from collections import OrderedDict
from contextlib import contextmanager
from threading import RLock

import numpy as np
import torch
from torch import nn

from ..exceptions import ModelFileError
from ..networks import GreyLevelNormalizer, make_network

# Rows of features are passed as pictures of few pixels, which have no contrast of
# their own.
SMALLEST_PICTURE = 8


def make_normalizer(normalization, images, image_shape):
    """Make the normalisation of faces of this shape, fitted to `images` if need be."""
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
    network,
    *,
    params,
    normalizer,
    n_classes: int,
    image_shape: tuple[int, int],
    seed,
    trial=True,
) -> nn.Sequential:
    """Build ``normalize`` and ``network`` with seeded weights.

    With `trial`, two blank faces are passed through the network.

    Raises
    ------
    ValueError
        If the trial does not give one logit per class.
    """
    with seeded(seed, torch.device("cpu")), _float32():
        module = make_network(
            network, n_classes=n_classes, image_shape=image_shape, params=params
        )
        if trial:
            _try_network(module, n_classes, image_shape)
    return nn.Sequential(OrderedDict(normalize=normalizer, network=module))


def _try_network(module, n_classes, image_shape):
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
        # The network of a user may compute with its weights while it is built.
        if isinstance(network, str):
            raise
        with seeded(0, torch.device("cpu")), _float32():
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


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """Copy a tensor to the CPU; NumPy has no bfloat16, which becomes float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def start_from(module, file, *, network, classes) -> None:
    """Start a new module from the weights of a model file.

    If the file has different classes, the last linear layer keeps its new weights.

    Parameters
    ----------
    module : nn.Module
        As `make_module` makes it.
    file : ModelFile
        The open file.
    network : str or callable
        What the module was made from.
    classes : ndarray
        Class labels of the training.

    Raises
    ------
    ModelFileError
        If the file holds weights of another network.
    """
    name = file.metadata["network"]["name"]
    if isinstance(network, str) and network != name:
        raise ModelFileError(
            f"{file.path} holds the network {name!r}, but the network to train is "
            f"{network!r}. Choose {name!r} to start from it."
        )
    same_classes = classes.tolist() == file.metadata["classes"]["values"]
    fresh = set() if same_classes else _head(module, file)
    called = getattr(network, "__name__", str(network))
    file.check_specs(weight_specs(module), called, without=fresh)
    weights = {
        name: torch.from_numpy(array.copy())
        for name, array in file.read_weights().items()
        if name not in fresh
    }
    # Complete but for the head: check_specs has seen to it.
    module.load_state_dict(weights, strict=False)


def _head(module, file):
    """Names of the weights of the last linear layer."""
    name, _ = last_linear(module)
    if name is None:
        raise ModelFileError(
            f"{file.path} was trained on the classes "
            f"{file.metadata['classes']['values']}; for different classes, its last "
            "nn.Linear is replaced, but this network has none. Let it end with one."
        )
    return {f"{name}.weight", f"{name}.bias"}


def last_linear(module: nn.Module):
    """Name and layer of the last linear layer; two None without any."""
    found = [(n, p) for n, p in module.named_modules() if isinstance(p, nn.Linear)]
    return found[-1] if found else (None, None)


# Layers such as dropout draw from torch's one generator of the process, so trainings
# on several threads (joblib's "threading", a Dask worker) take turns.
_ONE_AT_A_TIME = RLock()


@contextmanager
def seeded(seed: int, device: torch.device):
    """Seed torch within a block; afterwards its generators are as they were."""
    devices = [] if device.type == "cpu" else [device]
    kind = "cuda" if device.type == "cpu" else device.type
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=devices, device_type=kind):
        seed_torch(seed, 0, device)
        yield


def seed_torch(seed: int, epoch: int, device: torch.device) -> None:
    """Seed torch for an epoch of a training; 0 stands for its initial weights."""
    words = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint32)
    state = int(words[0]) << 31 | int(words[1]) >> 1
    # Not torch.manual_seed, which seeds the generators of all GPUs.
    torch.default_generator.manual_seed(state)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(state)
    elif device.type == "mps":
        torch.mps.manual_seed(state)
