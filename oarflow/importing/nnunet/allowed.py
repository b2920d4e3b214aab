"""The names that a result folder may use. nnU-Net imports and calls whatever such names say."""

from __future__ import annotations

ARCHITECTURES = ("PlainConvUNet", "ResidualEncoderUNet")
CONVOLUTIONS = {"torch.nn.modules.conv.Conv2d": 2, "torch.nn.modules.conv.Conv3d": 3}
NORMALIZATIONS = {
    "torch.nn.modules.instancenorm.InstanceNorm2d": 2,
    "torch.nn.modules.instancenorm.InstanceNorm3d": 3,
}
ACTIVATIONS = ("torch.nn.LeakyReLU", "torch.nn.modules.activation.LeakyReLU")
READERS = ("SimpleITKIO", "NibabelIO", "NibabelIOWithReorient", "SimpleITKIOWithReorient")
NAMED_PARTS = ("conv_op", "norm_op", "dropout_op", "nonlin")
"""Arguments of an architecture that name a class; nnU-Net lists them in `_kw_requires_import`."""
