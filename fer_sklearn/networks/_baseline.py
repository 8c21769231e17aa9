"""The Keras baseline as a PyTorch network."""

import torch
from torch import nn


def _block(n_in: int, n_out: int, kernel: int) -> list[nn.Module]:
    return [
        nn.Conv2d(n_in, n_out, kernel),
        nn.ReLU(inplace=True),
        # Keras' own constants: momentum 0.99 there is 0.01 here.
        nn.BatchNorm2d(n_out, eps=1e-3, momentum=0.01),
    ]


class BaselineNet(nn.Sequential):
    """The network of the Keras baseline, layer by layer.

    Two 5x5 convolutions of 64 channels, two 3x3 of 128, two 3x3 of 256, without
    padding, each with a ReLU and then batch normalisation; a 2x2 maximum after each
    pair; dropout 0.5, a dense layer of 128, dropout 0.6 and the logits. With seven
    classes and 48x48 faces it has 1,344,967 trainable parameters.

    Parameters
    ----------
    n_classes : int
        Number of logits.
    image_shape : tuple of int, default=(48, 48)
        Height and width of the faces in pixels, each at least 40: the dense layer
        fixes the picture size.
    dropout : tuple of float, default=(0.5, 0.6)
        Dropout probabilities after the convolutions and after the dense layer.

    Raises
    ------
    ValueError
        If the faces are smaller than 40 pixels on a side.

    Examples
    --------
    >>> from fer_sklearn.networks import BaselineNet
    >>> sum(p.numel() for p in BaselineNet(7).parameters() if p.requires_grad)
    1344967
    """

    def __init__(
        self,
        n_classes: int,
        *,
        image_shape: tuple[int, int] = (48, 48),
        dropout: tuple[float, float] = (0.5, 0.6),
    ):
        if min(image_shape) < 40:
            raise ValueError(
                "The baseline needs faces of at least 40x40 pixels, got "
                f"{image_shape[0]}x{image_shape[1]}. Use network='compact', which "
                "takes any size."
            )
        super().__init__(
            *_block(1, 64, 5),
            *_block(64, 64, 5),
            nn.MaxPool2d(2),
            *_block(64, 128, 3),
            *_block(128, 128, 3),
            nn.MaxPool2d(2),
            *_block(128, 256, 3),
            *_block(256, 256, 3),
            nn.Dropout(dropout[0]),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        with torch.no_grad():
            # A probe in eval mode leaves the batch statistics as they are.
            n_features = self.eval()(torch.zeros(1, 1, *image_shape)).shape[1]
        self.train()
        for layer in [
            nn.Linear(n_features, 128),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(128, eps=1e-3, momentum=0.01),
            nn.Dropout(dropout[1]),
            nn.Linear(128, n_classes),
        ]:
            self.append(layer)
        self.apply(_initialise_as_keras)


def _initialise_as_keras(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
