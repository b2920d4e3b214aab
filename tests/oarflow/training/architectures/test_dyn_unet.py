"""The network of TWOSTEP and HANSEG."""

from __future__ import annotations

import torch

from oarflow.training.architectures import build_network
from oarflow.training.architectures.dyn_unet import SupervisedUNet
from tests.oarflow.training.configurations import region


def test_a_right_side_is_a_left_one_in_the_mirror() -> None:
    """What is left and right reaches the answer, however much is normalised on the way."""
    network = build_network(region())
    image = torch.randn(1, 1, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    left = torch.cat([image, torch.ones_like(image)], dim=1)
    right = torch.cat([image.flip(-1), -torch.ones_like(image)], dim=1)
    for mode in (network.train(), network.eval()):
        both = mode(torch.cat([left, right]))
        assert torch.allclose(both[0], both[1].flip(-1), atol=1e-5)
        assert not torch.allclose(both[0], both[1], atol=0.1)


def test_the_supervised_network_is_monai_s_dynunet() -> None:
    """The same weights in MONAI's own forward pass give the same heads."""
    from monai.networks.nets.dynunet import DynUNet

    torch.manual_seed(0)
    levels, block = 4, torch.randn(1, 2, 16, 16, 16)
    made = DynUNet(
        3, 2, 1, [3] * levels, [1, 2, 2, 2], [2, 2, 2], [4, 6, 8, 10],
        deep_supervision=True, deep_supr_num=2,
    )  # fmt: skip
    own = SupervisedUNet(made)
    with torch.no_grad():
        assert torch.allclose(own.train()(block), made.train()(block), atol=1e-6)
        assert torch.allclose(own.eval()(block), made.eval()(block), atol=1e-6)
