"""What a bundle may not state: every refusal names the thing and says what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from oarflow.importing.bundle.bundle import read_bundle
from oarflow.importing.errors import NotImportedError
from tests.oarflow.importing.bundle.bundles import (
    Document,
    configuration,
    metadata,
    transform,
    write_bundle,
)

Change = Callable[[Document], Any]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> torch.nn.Module:
    """The network of the plain configuration."""
    return write_bundle(tmp_path_factory.mktemp("bundle"), configuration())


def argument(entry: str, name: str, **arguments: Any) -> Change:
    """Change arguments of a transform."""
    return lambda document: transform(document, entry, name).update(arguments)


def inserted(entry: str, place: int, name: str, **arguments: Any) -> Change:
    """Insert a transform."""
    keys = "image" if entry == "preprocessing" else "pred"
    one = {"_target_": name, "keys": keys, **arguments}
    return lambda document: document[entry]["transforms"].insert(place, one)


def removed(entry: str, name: str) -> Change:
    """Remove a transform."""
    return lambda document: document[entry]["transforms"].remove(transform(document, entry, name))


def entry(key: str, value: Any) -> Change:
    """Replace an entry."""
    return lambda document: document.update({key: value})


BEFORE, AFTER = "preprocessing", "postprocessing"

CONFIGURATIONS: dict[str, tuple[Change, str]] = {
    "an expression": (
        argument(BEFORE, "Spacingd", pixdim="$[1.5] * 3"),
        r"Spacingd.pixdim is the Python expression '\$\[1.5\] \* 3'.*write its value",
    ),
    "an expression behind a reference": (
        lambda d: (
            d.update(spacing="$[1.5] * 3"),
            argument(BEFORE, "Spacingd", pixdim="@spacing")(d),
        ),
        "Spacingd.pixdim is the Python expression",
    ),
    "an expression on the way": (
        lambda d: (
            d.update(spacing="$dict(a=[1, 1, 1])"),
            argument(BEFORE, "Spacingd", pixdim="@spacing#a")(d),
        ),
        "leads through",
    ),
    "a macro": (argument(BEFORE, "Spacingd", pixdim="%other.json::pixdim"), "does not follow"),
    "a circle": (
        lambda d: (d.update(a="@b", b="@a"), argument(BEFORE, "Spacingd", pixdim="@a")(d)),
        "pixdim refers to itself",
    ),
    "an absent entry": (argument(BEFORE, "Spacingd", pixdim="@nothing"), "which does not exist"),
    "ever more references": (
        lambda d: (
            d.update({f"a{n}": [f"@a{n + 1}"] * 10 for n in range(9)}),
            d.update(a9=1),
            argument(BEFORE, "Spacingd", pixdim="@a0")(d),
        ),
        "more than 20000 values",
    ),
    "a list as an expression": (
        lambda d: d[BEFORE].update(transforms="$@transforms"),
        "Compose.transforms is the Python expression",
    ),
    "a foreign class": (
        inserted(BEFORE, 3, "scripts.my_transforms.Sharpen"),
        "'scripts.my_transforms.Sharpen', which is no class of MONAI: contour with MONAI",
    ),
    "an unknown transform": (
        inserted(BEFORE, 3, "monai.transforms.GaussianSmoothd"),
        "preprocessing: GaussianSmoothd is unknown",
    ),
    "an unknown argument": (
        argument(BEFORE, "Orientationd", canonical=True),
        "Orientationd has the argument 'canonical'",
    ),
    "another key": (argument(BEFORE, "Spacingd", keys=["image", "label"]), "Spacingd works on"),
    "disabled": (argument(BEFORE, "Spacingd", _disabled_=True), "_disabled_: remove Spacingd"),
    "no orientation": (removed(BEFORE, "Orientationd"), "Spacingd must follow Orientationd"),
    "no spacing": (removed(BEFORE, "Spacingd"), "no Orientationd with a Spacingd after it"),
    "orientation in words": (
        argument(BEFORE, "Orientationd", axcodes="RRS"),
        "axcodes: an orientation is three letters",
    ),
    "other letters": (
        argument(BEFORE, "Orientationd", labels=[["R", "L"], ["A", "P"], ["I", "S"]]),
        "Orientationd.labels",
    ),
    "splines": (argument(BEFORE, "Spacingd", mode=3), "Spacingd.mode is 3; OARflow does only"),
    "one spacing": (argument(BEFORE, "Spacingd", pixdim=[1.5]), "pixdim of 1.5 instead of three"),
    "padding": (argument(BEFORE, "Spacingd", padding_mode="zeros"), "padding_mode is 'zeros'"),
    "no range": (argument(BEFORE, "ScaleIntensityRanged", a_max=-80), "does not map a range"),
    "two normalizations": (
        inserted(BEFORE, 5, "NormalizeIntensityd", subtrahend=0.5, divisor=0.5),
        "NormalizeIntensityd is a second normalization",
    ),
    "the mean of the image": (
        lambda d: (
            removed(BEFORE, "ScaleIntensityRanged")(d),
            inserted(BEFORE, 4, "NormalizeIntensityd")(d),
        ),
        "mean or the deviation of the whole image, which a crop of the CT changes: train with",
    ),
    "non-zero voxels": (
        inserted(BEFORE, 4, "NormalizeIntensityd", nonzero=True),
        "NormalizeIntensityd.nonzero is True",
    ),
    "a crop": (
        inserted(BEFORE, 5, "CropForegroundd", source_key="image"),
        "CropForegroundd crops the image by its values; OARflow would then read another part",
    ),
    "the least value": (inserted(BEFORE, 4, "ScaleIntensityd"), "ScaleIntensityd measures"),
    "no inferer": (lambda d: d.pop("inferer"), "has no inferer: add it"),
    "the whole CT at once": (
        entry("inferer", {"_target_": "SimpleInferer"}),
        "SimpleInferer reads the whole CT at once.*state a SlidingWindowInferer",
    ),
    "another inferer": (entry("inferer", {"_target_": "SliceInferer"}), "SliceInferer is unknown"),
    "mirrored borders": (
        lambda d: d["inferer"].update(padding_mode="reflect"),
        "padding_mode is 'reflect'",
    ),
    "much overlap": (lambda d: d["inferer"].update(overlap=0.9), "overlap is 0.9, outside 0 to"),
    "a large tile": (lambda d: d["inferer"].update(roi_size=[9999] * 3), "roi_size is 9999"),
    "a flat tile": (lambda d: d["inferer"].update(roi_size=[64, 64]), "instead of three numbers"),
    "no way back": (removed(AFTER, "Invertd"), "no Invertd, which returns labels"),
    "no labels": (removed(AFTER, "AsDiscreted"), "no AsDiscreted, which makes labels"),
    "interpolated labels": (
        lambda d: d[AFTER]["transforms"].insert(1, d[AFTER]["transforms"].pop(2)),
        "Invertd interpolates the numbers of labels: set nearest_interp",
    ),
    "another inverse": (argument(AFTER, "Invertd", transform="@other"), "does not invert"),
    "another level": (
        argument(AFTER, "AsDiscreted", argmax=False, threshold=0.3),
        "AsDiscreted.threshold is 0.3",
    ),
    "softmax and a threshold": (
        argument(AFTER, "AsDiscreted", argmax=False, threshold=0.5),
        "softmax or nothing with argmax, or sigmoid with a threshold",
    ),
    "overlapping channels": (
        lambda d: (
            argument(AFTER, "AsDiscreted", argmax=False, threshold=0.5)(d),
            argument(AFTER, "Activationsd", softmax=False, sigmoid=True)(d),
        ),
        "4 channels with a threshold each, which may overlap",
    ),
    "components of probabilities": (
        inserted(AFTER, 0, "KeepLargestConnectedComponentd"),
        "must stand after AsDiscreted and Invertd",
    ),
    "an unknown step after": (inserted(AFTER, 1, "Lambdad", func="$print"), "Lambdad is unknown"),
    "another class": (
        entry("network_def", {"_target_": "SwinUNETR", "in_channels": 1}),
        "network_def: SwinUNETR is not among UNet, .*: use model.ts with --torchscript",
    ),
    "two channels": (
        lambda d: d["network_def"].update(in_channels=2),
        "is no 3-D network of one channel",
    ),
    "an unknown argument of the network": (
        lambda d: d["network_def"].update(pretrained=True),
        "UNet has the argument 'pretrained'",
    ),
    "a strange activation": (
        lambda d: d["network_def"].update(act="os.system"),
        "UNet.act is 'os.system'",
    ),
    "a huge network": (
        lambda d: d["network_def"].update(channels=[4, 10**9]),
        "UNet.channels is 1000000000",
    ),
    "other weights": (
        lambda d: d["network_def"].update(channels=[4, 16]),
        "the weights do not fit network_def: UNet at .*use model.ts",
    ),
    "a network that cannot be": (
        lambda d: d["network_def"].update(strides=[]),
        "UNet cannot be built .*: correct its arguments",
    ),
    "a network as an expression": (
        lambda d: d.pop("network_def"),
        "network is the Python expression",
    ),
    "a tile that does not fit": (
        lambda d: d["inferer"].update(roi_size=[15, 16, 16]),
        "one map of its input's size: correct roi_size if the network needs another",
    ),
}


@pytest.mark.parametrize(("change", "said"), CONFIGURATIONS.values(), ids=list(CONFIGURATIONS))
def test_configurations_are_refused_by_name(
    change: Change, said: str, weights: torch.nn.Module, tmp_path: Path
) -> None:
    document = configuration()
    change(document)
    write_bundle(tmp_path, document, network=weights)
    with pytest.raises(NotImportedError, match=said):
        read_bundle(tmp_path)


def image(**fields: Any) -> Document:
    return {"inputs": {"image": {"modality": "CT", "num_channels": 1, **fields}}}


METADATA: dict[str, tuple[Document, str]] = {
    "MR": (image(modality="MR"), "reads 'MR', not CT"),
    "no modality": (image(modality=None), "reads None, not CT"),
    "two channels": (image(num_channels=2), "reads 2 channels"),
    "two inputs": ({"inputs": {"ct": {}, "pet": {}}}, "2 inputs; OARflow imports networks of one"),
    "two outputs": ({"outputs": {"a": {}, "b": {}}}, "2 outputs"),
    "another count": (
        {"outputs": {"pred": {"num_channels": 5}}},
        "4 output channels, and metadata.json states 5: correct metadata.json",
    ),
    "no number": (
        {"outputs": {"pred": {"channel_def": {"x": "Brainstem"}}}},
        "channel_def has 'x', which is no channel's number",
    ),
}


@pytest.mark.parametrize(("layout", "said"), METADATA.values(), ids=list(METADATA))
def test_metadata_are_refused_by_name(
    layout: Document, said: str, weights: torch.nn.Module, tmp_path: Path
) -> None:
    described = metadata()
    described["network_data_format"].update(layout)
    write_bundle(tmp_path, configuration(), described, weights)
    with pytest.raises(NotImportedError, match=said):
        read_bundle(tmp_path)


def test_two_labels_of_one_name(weights: torch.nn.Module, tmp_path: Path) -> None:
    described = metadata()
    channels = described["network_data_format"]["outputs"]["pred"]["channel_def"]
    channels["2"] = channels["1"]
    write_bundle(tmp_path, configuration(), described, weights)
    with pytest.raises(NotImportedError, match="names two channels 'Brainstem': give each"):
        _ = read_bundle(tmp_path).structures


def test_several_outputs_are_refused(tmp_path: Path) -> None:
    class Pair(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x, x

    write_bundle(tmp_path, configuration(), network=Pair(), scripted=True)
    with pytest.raises(NotImportedError, match="or export it without deep supervision"):
        read_bundle(tmp_path)
