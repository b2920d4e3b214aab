"""MONAI bundles with random weights, and the labels that MONAI itself computes with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle.config_parser import ConfigParser
from monai.data.meta_tensor import MetaTensor
from numpy.typing import NDArray

from oarflow.networks.imported.directions import DIRECTIONS
from oarflow.volume import Volume
from tests.oarflow.chain import sphere_volume

Document = dict[str, Any]

NETWORKS: Mapping[str, Document] = {
    "UNet": {
        "channels": [4, 8],
        "strides": [2],
        "num_res_units": 1,
        "norm": "batch",
    },
    "BasicUNet": {"features": [4, 4, 4, 4, 4, 4], "act": ["relu", {"inplace": True}]},
    "DynUNet": {
        "kernel_size": [3, 3, 3],
        "strides": [1, 2, [2, 2, 1]],
        "upsample_kernel_size": [2, [2, 2, 1]],
        "filters": [4, 8, 8],
        "norm_name": "instance",
        "res_block": True,
    },
    "SegResNet": {
        "init_filters": 8,
        "blocks_down": [1, 1],
        "blocks_up": [1],
        "dropout_prob": 0.2,
    },
}
"""Arguments of a small network of each class."""

TURNING = ("LoadImaged", "EnsureChannelFirstd", "Orientationd", "SaveImaged")


def configuration(network: str = "UNet", heads: int = 4) -> Document:
    """An inference.json as MONAI's model zoo writes it, Python expressions included."""
    image = {"keys": "@image_key"}
    stated = {"spatial_dims": 3, "in_channels": 1, "out_channels": heads, **NETWORKS[network]}
    return {
        "imports": ["$import os"],
        "bundle_root": ".",
        "image_key": "image",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cpu')",
        "network_def": {"_target_": network, **stated},
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", **image, "reader": "ITKReader"},
                {"_target_": "EnsureChannelFirstd", **image},
                {"_target_": "Orientationd", **image, "axcodes": "RAS"},
                {
                    "_target_": "Spacingd",
                    **image,
                    "pixdim": [1.7, 1.3, 2.1],
                    "mode": "bilinear",
                },
                {
                    "_target_": "ScaleIntensityRanged",
                    **image,
                    "a_min": -80,
                    "a_max": 120,
                    "b_min": 0.0,
                    "b_max": 1.0,
                    "clip": True,
                },
                {"_target_": "EnsureTyped", **image},
            ],
        },
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": [32, 32, 32] if network == "BasicUNet" else [16, 16, 12],
            "sw_batch_size": 2,
            "overlap": 0.5,
            "device": "@device",
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {
                    "_target_": "Invertd",
                    "keys": "pred",
                    "transform": "@preprocessing",
                    "orig_keys": "@image_key",
                    "nearest_interp": False,
                    "to_tensor": True,
                },
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
        "initialize": ["$monai.utils.set_determinism(seed=123)"],
        "run": ["$@evaluator.run()"],
    }


def metadata(heads: int = 4, **fields: Any) -> Document:
    """A metadata.json. Labels have the names of organs."""
    names = ["background", "Brainstem", "Eye_L", "Eye_R"][: max(heads, 2)]
    return {
        "name": "Small heads",
        "version": "0.1.2",
        "copyright": "Copyright (c) nobody",
        "network_data_format": {
            "inputs": {"image": {"modality": "CT", "num_channels": 1}},
            "outputs": {
                "pred": {
                    "num_channels": heads,
                    "channel_def": {str(number): name for number, name in enumerate(names)},
                }
            },
        },
        **fields,
    }


def transform(document: Document, entry: str, name: str) -> Document:
    """The arguments of a transform of a configuration, to be changed."""
    listed: list[Document] = document[entry]["transforms"]
    return next(one for one in listed if one["_target_"] == name)


def built(document: Document) -> torch.nn.Module:
    """The network of a configuration, as MONAI builds it, with random weights.

    The last convolution's are large, so that the labels mix.
    """
    torch.manual_seed(3)
    network: torch.nn.Module = ConfigParser({"net": document["network_def"]}).get_parsed_content(
        "net"
    )
    for buffer in network.buffers():
        if buffer.is_floating_point():
            buffer.add_(0.1 * torch.rand_like(buffer))
    convolutions = [one for one in network.modules() if isinstance(one, torch.nn.Conv3d)]
    with torch.no_grad():
        convolutions[-1].weight.mul_(6)
        for bias in (one.bias for one in convolutions if one.bias is not None):
            bias.zero_()
    return network.eval()


def write_bundle(
    folder: Path,
    document: Document,
    described: Document | None = None,
    network: torch.nn.Module | None = None,
    *,
    scripted: bool = False,
) -> torch.nn.Module:
    """A bundle with weights, or with TorchScript. Returns its network."""
    network = network or built(document)
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(document))
    (folder / "configs" / "metadata.json").write_text(json.dumps(described or metadata()))
    if scripted:
        place = str(folder / "models" / "model.ts")
        torch.jit.script(network).save(place)  # type: ignore[no-untyped-call]
    else:
        torch.save({"model": network.state_dict()}, folder / "models" / "model.pt")
    return network


def ct() -> Volume:
    """Smooth noise between -120 and 160 HU, on slices of 2.5 mm and pixels of 1.1 x 1.2 mm."""
    volume = sphere_volume({}, spacing=(2.5, 1.1, 1.2), shape=(16, 34, 30))
    small = torch.from_numpy(np.random.default_rng(7).uniform(-120, 160, (1, 1, 5, 8, 7)))
    rough = torch.nn.functional.interpolate(small, volume.hu.shape, mode="trilinear")[0, 0].numpy()
    noise = np.random.default_rng(8).normal(0, 15, rough.shape)
    volume.hu[:] = np.round(rough + noise).astype(np.float32)
    return volume


def monai_labels(
    document: Document, network: torch.nn.Module, volume: Volume, *, turned: bool = False
) -> NDArray[np.uint8]:
    """Labels (z, y, x) that MONAI computes with the transforms of a configuration.

    turned: leave the orientation to MONAI's Orientationd, which needs nibabel; else the array is
    turned here.
    """
    stated = deepcopy(document)
    axcodes = transform(stated, "preprocessing", "Orientationd")["axcodes"]
    dropped = [name for name in TURNING if not (turned and name == "Orientationd")]
    for entry in ("preprocessing", "postprocessing"):
        listed = stated[entry]["transforms"]
        kept = [one for one in listed if one["_target_"] not in dropped]
        stated[entry]["transforms"] = kept
    parser = ConfigParser({key: stated[key] for key in ENTRIES if key in stated})
    before, inferer, after = (
        parser.get_parsed_content(key) for key in ("preprocessing", "inferer", "postprocessing")
    )
    image, signs = volume.hu.T, np.array([-1.0, -1.0, 1.0])  # LPS, which MONAI describes in RAS
    order: tuple[int, int, int] = (0, 1, 2)
    flipped: tuple[int, ...] = ()
    if not turned:
        order, flipped = _turn(axcodes)
        image, signs = np.flip(image.transpose(order), flipped), np.ones(3)
    spacing = np.array(volume.grid.spacing_zyx[::-1])[list(order)]
    affine = torch.from_numpy(np.diag([*(spacing * signs), 1.0]))
    data = {"image": MetaTensor(np.ascontiguousarray(image)[None], affine=affine)}
    with torch.inference_mode():
        data = before(data)
        data["pred"] = inferer(data["image"][None], network)[0]
        found = np.asarray(after(data)["pred"])[0]
    if not turned:
        found = np.flip(found, flipped).transpose(np.argsort(order))
    labels: NDArray[np.uint8] = found.T.astype(np.uint8)
    return labels


ENTRIES = ("image_key", "device", "preprocessing", "inferer", "postprocessing")


def _turn(axcodes: str) -> tuple[tuple[int, int, int], tuple[int, ...]]:
    """The order of an LPS array's axes (x, y, z), and the new axes to flip."""
    order = [next(i for i, pair in enumerate(DIRECTIONS) if c in pair) for c in axcodes]
    lps = "LPS"
    flipped = tuple(new for new, axis in enumerate(order) if axcodes[new] != lps[axis])
    return (order[0], order[1], order[2]), flipped
