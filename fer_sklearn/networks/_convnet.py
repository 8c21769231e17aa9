"""Plain 3x3 convolutions in stages: what FER2013 needs, at three sizes."""

from collections.abc import Sequence

from torch import nn


def _conv_block(n_in: int, n_out: int, stride: int = 1) -> list[nn.Module]:
    # No bias: the batch normalisation that follows has one.
    return [
        nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    ]


class ConvNet(nn.Sequential):
    """Stages of 3x3 convolutions, each halving the picture, then one linear layer.

    Every convolution is followed by batch normalisation and a ReLU, and every stage
    but the last by 2x2 maximum pooling. The last stage is averaged over the picture, so
    the network takes pictures of any size, and training may start on small ones. There
    are no depthwise convolutions, as these are three to five times less efficient on a
    CPU.

    Parameters
    ----------
    n_classes : int
        Number of logits.
    widths : sequence of sequences of int
        Output channels of each convolution, stage by stage.
    stem_stride : {1, 2}, default=1
        Stride of the first convolution. 2 makes a network about three times as fast
        for a point or two of accuracy.
    dropout : float, default=0.3
        Probability, in [0, 1), of dropping a feature before the linear layer.

    References
    ----------
    Pramerdorfer and Kampel, "Facial Expression Recognition using Convolutional
    Neural Networks: State of the Art", 2016, found plain VGG-like networks as good
    as deeper ones on FER2013.

    Examples
    --------
    >>> import torch
    >>> from fer_sklearn.networks import ConvNet
    >>> net = ConvNet(7, widths=[(8, 8), (16, 16)]).eval()
    >>> net(torch.zeros(2, 1, 48, 48)).shape
    torch.Size([2, 7])
    """

    def __init__(
        self,
        n_classes: int,
        *,
        widths: Sequence[Sequence[int]],
        stem_stride: int = 1,
        dropout: float = 0.3,
    ):
        super().__init__()
        n_in, stride = 1, stem_stride
        stages = []
        for stage_widths in widths:
            layers: list[nn.Module] = []
            for n_out in stage_widths:
                layers += _conv_block(n_in, n_out, stride)
                n_in, stride = n_out, 1
            stages.append(nn.Sequential(*layers))
        for index, stage in enumerate(stages):
            self.add_module(f"stage{index}", stage)
            if index < len(stages) - 1:
                # ceil_mode lets pictures of a single row pass.
                self.add_module(f"pool{index}", nn.MaxPool2d(2, ceil_mode=True))
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.logits = nn.Linear(n_in, n_classes)
        self.apply(_initialise)


def _initialise(layer: nn.Module) -> None:
    # Shapes alone have no values, and torch imports its compiler to find that out.
    if isinstance(layer, nn.Conv2d) and not layer.weight.is_meta:
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")


def nano(n_classes: int, *, dropout: float = 0.1) -> ConvNet:
    """Build the fastest network: 579 k parameters, 21 M multiplications a face.

    Parameters
    ----------
    n_classes : int
        Number of logits.
    dropout : float
        Share of the features before the last layer that are dropped in training.

    Returns
    -------
    ConvNet
        With fresh weights.

    Examples
    --------
    >>> import torch
    >>> from fer_sklearn.networks import nano
    >>> nano(7)(torch.zeros(2, 1, 48, 48)).shape
    torch.Size([2, 7])
    """
    return ConvNet(
        n_classes,
        # The last stage sees 3x3 pixels: many weights for few products.
        widths=[(16, 32), (64, 64), (128, 128), (256,)],
        stem_stride=2,
        dropout=dropout,
    )


def compact(n_classes: int, *, dropout: float = 0.3) -> ConvNet:
    """Build the default network: 837 k parameters, 95 M multiplications a face.

    Parameters
    ----------
    n_classes : int
        Number of logits.
    dropout : float
        Share of the features before the last layer that are dropped in training.

    Returns
    -------
    ConvNet
        With fresh weights.

    Examples
    --------
    >>> import torch
    >>> from fer_sklearn.networks import compact
    >>> compact(7)(torch.zeros(2, 1, 48, 48)).shape
    torch.Size([2, 7])
    """
    return ConvNet(
        n_classes,
        # Few channels at full size: there, memory traffic costs more than products.
        widths=[(16, 32), (64, 64), (128, 128), (192, 192)],
        dropout=dropout,
    )


def large(n_classes: int, *, dropout: float = 0.4) -> ConvNet:
    """Build the most accurate network: 3.3 M parameters, 377 M multiplications.

    Parameters
    ----------
    n_classes : int
        Number of logits.
    dropout : float
        Share of the features before the last layer that are dropped in training.

    Returns
    -------
    ConvNet
        With fresh weights.

    Examples
    --------
    >>> import torch
    >>> from fer_sklearn.networks import large
    >>> large(7)(torch.zeros(2, 1, 48, 48)).shape
    torch.Size([2, 7])
    """
    return ConvNet(
        n_classes,
        # More than a point better than `compact`, from labels alone (as many epochs) as
        # well as from the predictions of several networks.
        widths=[(32, 64), (128, 128), (256, 256), (384, 384)],
        dropout=dropout,
    )
