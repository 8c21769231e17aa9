"""Where the network runs."""

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
