"""Where the network runs."""

import warnings

import torch


def resolve_device(device: str) -> torch.device:
    """Turn ``"auto"`` or a PyTorch device name into a device that is there.

    Parameters
    ----------
    device : str
        ``"auto"`` takes the first GPU if there is one, else the CPU.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If the name is unknown or no such device is available.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} cannot be used here: {str(error).splitlines()[0]} "
            "Use device='auto' or 'cpu'."
        ) from error
    return resolved


def resolve_or_cpu(device: str) -> torch.device:
    """Resolve a device; where it is missing, warn and take the CPU.

    For fitted classifiers that are opened on another machine.
    """
    try:
        return resolve_device(device)
    except ValueError:
        warnings.warn(
            f"This classifier was made for device={device!r}, which is not here; it "
            "predicts on the CPU. To train it here, set device='auto'.",
            UserWarning,
            stacklevel=4,
        )
        return torch.device("cpu")
