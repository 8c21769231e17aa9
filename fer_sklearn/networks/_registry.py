"""Networks by name."""

import inspect
from collections.abc import Callable

from torch import nn

from ..exceptions import FERError
from ._baseline import BaselineNet
from ._convnet import compact, large, nano

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "nano": nano,
    "compact": compact,
    "large": large,
    "baseline": BaselineNet,
}


def make_network(
    network: str | Callable[..., nn.Module],
    *,
    n_classes: int,
    image_shape: tuple[int, int],
    params: dict | None = None,
) -> nn.Module:
    """Build a network by name or from a class of the user's own.

    Parameters
    ----------
    network : str or callable
        A key of `NETWORKS`, or a class (or function) that makes a module from
        ``(batch, 1, height, width)`` floats to ``(batch, n_classes)`` logits.
    n_classes : int
        Handed over as ``n_classes`` if the callable has a parameter of that name.
    image_shape : tuple of int
        Height and width, handed over in the same way as ``image_shape``.
    params : dict, optional
        Further keyword arguments; they win over the two above.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    FERError
        If the name is unknown, `network` is a module that is made already, or the
        callable has no such parameters.

    Examples
    --------
    >>> from fer_sklearn.networks import make_network
    >>> net = make_network("nano", n_classes=7, image_shape=(48, 48))
    >>> sum(p.numel() for p in net.parameters())
    579319
    """
    if isinstance(network, str):
        if network not in NETWORKS:
            raise FERError(
                f"Unknown network {network!r}. Known names: {', '.join(NETWORKS)}; "
                "or pass your own nn.Module class."
            )
        network = NETWORKS[network]
    if isinstance(network, nn.Module):
        name = type(network).__name__
        raise FERError(
            f"network is an instance of {name}, expected a class or function that "
            f"makes a new module in each fit. Set network={name}, and its arguments as "
            "network_params={...}."
        )
    signature = inspect.signature(network)
    known = {"n_classes": n_classes, "image_shape": image_shape}
    kwargs = {k: value for k, value in known.items() if k in signature.parameters}
    kwargs.update(params or {})
    try:
        signature.bind(**kwargs)
    except TypeError as error:
        raise FERError(
            f"The network cannot be made with network_params={params!r}: {error}. Its "
            f"parameters are {', '.join(signature.parameters)}."
        ) from error
    return network(**kwargs)
