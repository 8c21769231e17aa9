"""Networks: sizes, shapes, and the layers of the baseline."""

import numpy as np
import pytest
import torch
from torch import nn

from fer_sklearn.networks import (
    NETWORKS,
    BaselineNet,
    ConvNet,
    GreyLevelNormalizer,
    make_network,
)


def n_trainable(module):
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("name", "n_parameters"),
    [
        ("nano", 579_319),
        ("compact", 837_175),
        ("large", 3_342_439),
        ("baseline", 1_344_967),
    ],
)
def test_sizes_are_as_documented(name, n_parameters):
    network = make_network(name, n_classes=7, image_shape=(48, 48))
    assert n_trainable(network) == n_parameters


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_faces_become_logits(name):
    network = make_network(name, n_classes=5, image_shape=(48, 48)).eval()
    assert network(torch.zeros(3, 1, 48, 48)).shape == (3, 5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (64, 64)])
@pytest.mark.parametrize("name", ["nano", "compact", "large"])
def test_conv_nets_take_any_picture_size(name, shape):
    network = make_network(name, n_classes=2, image_shape=shape).eval()
    assert network(torch.zeros(2, 1, *shape)).shape == (2, 2)


def test_baseline_has_the_layers_of_the_notebook():
    kinds = [type(layer).__name__ for layer in BaselineNet(7)]
    block = ["Conv2d", "ReLU", "BatchNorm2d"]
    assert kinds == [
        *block * 2,
        "MaxPool2d",
        *block * 2,
        "MaxPool2d",
        *block * 2,
        "Dropout",
        "MaxPool2d",
        "Flatten",
        *["Linear", "ReLU", "BatchNorm1d", "Dropout", "Linear"],
    ]


def test_baseline_refuses_small_faces():
    with pytest.raises(ValueError, match="at least 40x40 pixels, got 24x24"):
        make_network("baseline", n_classes=7, image_shape=(24, 24))
    with pytest.raises(ValueError, match="got 40x39"):
        make_network("baseline", n_classes=7, image_shape=(40, 39))
    assert BaselineNet(7, image_shape=(40, 40)).eval()(torch.zeros(1, 1, 40, 40)).shape


def test_baseline_fits_other_picture_sizes():
    assert BaselineNet(7, image_shape=(64, 40)).eval()(torch.zeros(1, 1, 64, 40)).shape


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'resnet'.*nano, compact, large, baseline"):
        make_network("resnet", n_classes=7, image_shape=(48, 48))


def test_own_network_gets_what_its_signature_asks_for():
    def build(n_classes, image_shape, width=1):
        return nn.Linear(image_shape[0] * width, n_classes)

    network = make_network(build, n_classes=3, image_shape=(4, 9), params={"width": 2})
    assert (network.in_features, network.out_features) == (8, 3)


def test_own_parameters_win():
    network = make_network("nano", n_classes=7, image_shape=(48, 48))
    other = make_network(
        "nano", n_classes=7, image_shape=(48, 48), params={"dropout": 0.7}
    )
    assert (network.dropout.p, other.dropout.p) == (0.1, 0.7)


def test_stem_stride_halves_the_first_stage():
    wide = ConvNet(2, widths=[(4,)]).stage0(torch.zeros(2, 1, 8, 8))
    narrow = ConvNet(2, widths=[(4,)], stem_stride=2).stage0(torch.zeros(2, 1, 8, 8))
    assert wide.shape[-1] == 2 * narrow.shape[-1]


class TestGreyLevelNormalizer:
    def test_each_face_gets_mean_zero_and_deviation_one(self):
        faces = torch.randint(0, 256, (4, 12, 12), dtype=torch.uint8)
        out = GreyLevelNormalizer()(faces)
        assert out.shape == (4, 1, 12, 12)
        np.testing.assert_allclose(out.mean(dim=(1, 2, 3)), 0, atol=1e-5)
        np.testing.assert_allclose(out.std(dim=(1, 2, 3), correction=0), 1, rtol=1e-4)

    def test_scale_and_dtype_do_not_matter(self):
        faces = torch.randint(0, 256, (4, 12, 12), dtype=torch.uint8)
        expected = GreyLevelNormalizer()(faces)
        for same in (faces.int(), faces.double(), faces.float() / 255):
            torch.testing.assert_close(GreyLevelNormalizer()(same), expected)

    def test_a_face_of_one_grey_level_becomes_zero(self):
        out = GreyLevelNormalizer()(torch.full((1, 8, 8), 7, dtype=torch.uint8))
        assert torch.equal(out, torch.zeros(1, 1, 8, 8))

    def test_one_mean_and_deviation_for_all(self):
        normalizer = GreyLevelNormalizer(per_image=False, mean=100, std=50)
        out = normalizer(torch.full((1, 2, 2), 150, dtype=torch.uint8))
        assert torch.equal(out, torch.ones(1, 1, 2, 2))
        assert "mean=100" in repr(normalizer)
