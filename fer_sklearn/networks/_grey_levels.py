"""Normalisation of grey levels."""

import torch
from torch import nn


class GreyLevelNormalizer(nn.Module):
    """Turn a batch of grey-level faces into normalised floats with a channel axis.

    As a module, it is part of the network on a GPU, in a model file and in an ONNX
    graph. Faces stay uint8 until they reach it.

    Parameters
    ----------
    per_image : bool, default=True
        True brings each face to mean 0 and standard deviation 1, so that light,
        contrast and the scale (0..255 or 0..1) do not matter.
        False uses `mean` and `std` for all.
    mean, std : float, default=0.0 and 1.0
        Used if `per_image` is False, in grey levels.

    Examples
    --------
    >>> import torch
    >>> from fer_sklearn.networks import GreyLevelNormalizer
    >>> faces = torch.randint(0, 256, (2, 48, 48), dtype=torch.uint8)
    >>> GreyLevelNormalizer()(faces).shape
    torch.Size([2, 1, 48, 48])
    """

    def __init__(self, *, per_image: bool = True, mean: float = 0.0, std: float = 1.0):
        super().__init__()
        self.per_image = per_image
        self.mean = mean
        self.std = std

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """Normalise.

        Parameters
        ----------
        faces : torch.Tensor of shape (batch, height, width)
            Grey levels, of any dtype.

        Returns
        -------
        torch.Tensor of shape (batch, 1, height, width), float32
        """
        faces = faces.float()
        if not self.per_image:
            return ((faces - self.mean) / self.std).unsqueeze(1)
        centred = faces - faces.mean(dim=(1, 2), keepdim=True)
        std = centred.square().mean(dim=(1, 2), keepdim=True).sqrt()
        # The floor only keeps a face of one grey level from dividing by zero.
        return (centred / std.clamp_min(1e-6)).unsqueeze(1)

    def extra_repr(self) -> str:
        """Show the settings in the printed module.

        Returns
        -------
        str
        """
        if self.per_image:
            return "per_image=True"
        return f"per_image=False, mean={self.mean:.4g}, std={self.std:.4g}"
