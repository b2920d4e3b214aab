"""Imported networks of full size: seconds of a tile and peak memory, beside nnunetv2's predictor.

Weights are random: time does not depend on them. Each program runs in a process of its own on a
crop of some tiles, and its time is scaled to the tiles that a whole CT needs.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch

from oarflow.errors import Fault
from oarflow.evaluation.benchmarks.imported_tiles import CONFIGURATION, card_of
from oarflow.importing.nnunet.plans import configured
from oarflow.networks.imported.precision import has_bfloat16
from oarflow.networks.imported.tiles import plan_tiles
from oarflow.tables import markdown_table
from oarflow.types import Triple

CT_MM: Triple = (270.0, 511.0, 511.0)
"""Extent (z, y, x) of the CT, which nnunetv2 covers: 186 slices of 512 x 512."""

BOX_MM: Triple = (240.0, 200.0, 200.0)
"""Extent (z, y, x) of the box around the organs of the head and neck, where OARflow runs."""

LEVELS_L = (1, 3, 4, 6, 6, 6)
"""Residual blocks of each stage in nnU-Net's preset ResEnc L."""

PATCH = (128, 128, 128)
FEATURES = (32, 64, 128, 256, 320, 320)


@dataclass(frozen=True)
class NetworkSize:
    """A network as nnU-Net plans it. heads: with the background."""

    title: str
    kind: Literal["PlainConvUNet", "ResidualEncoderUNet"]
    spacing_mm: Triple
    heads: int
    patch: tuple[int, int, int] = PATCH
    features: tuple[int, ...] = FEATURES

    @property
    def plans(self) -> dict[str, Any]:
        """plans.json, as nnU-Net's planner writes it."""
        stages = len(self.features)
        resample = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
        name = "resample_data_or_seg_to_shape"
        kernels = [[3, 3, 3]] * stages
        residual = self.kind == "ResidualEncoderUNet"
        blocks = list(LEVELS_L[:stages]) if residual else [2] * stages
        module = "torch.nn.modules"
        arguments = {
            "n_stages": stages,
            "features_per_stage": list(self.features),
            "conv_op": f"{module}.conv.Conv3d",
            "kernel_sizes": kernels,
            "strides": [[1, 1, 1], *[[2, 2, 2]] * (stages - 1)],
            "n_blocks_per_stage" if residual else "n_conv_per_stage": blocks,
            "n_conv_per_stage_decoder": [1 if residual else 2] * (stages - 1),
            "conv_bias": True,
            "norm_op": f"{module}.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        }
        architectures = "dynamic_network_architectures.architectures.unet"
        configuration = {
            "data_identifier": "random",
            "preprocessor_name": "DefaultPreprocessor",
            "batch_size": 2,
            "patch_size": list(self.patch),
            "spacing": list(self.spacing_mm),
            "normalization_schemes": ["CTNormalization"],
            "use_mask_for_norm": [False],
            "resampling_fn_data": name,
            "resampling_fn_data_kwargs": resample | {"order": 3},
            "resampling_fn_probabilities": name,
            "resampling_fn_probabilities_kwargs": resample,
            "architecture": {
                "network_class_name": f"{architectures}.{self.kind}",
                "arch_kwargs": arguments,
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            },
        }
        facts = {"mean": 0.0, "std": 300.0, "percentile_00_5": -1000.0, "percentile_99_5": 1500.0}
        return {
            "dataset_name": "Dataset999_Random",
            "plans_name": "nnUNetResEncUNetLPlans" if residual else "nnUNetPlans",
            "image_reader_writer": "NibabelIOWithReorient",
            "transpose_forward": [0, 1, 2],
            "transpose_backward": [0, 1, 2],
            "label_manager": "LabelManager",
            "foreground_intensity_properties_per_channel": {"0": facts},
            "configurations": {CONFIGURATION: configuration},
        }

    def tiles(self, extent_mm: Triple) -> int:
        """Tiles of a whole grid of that extent."""
        z, y, x = (round(mm / step) for mm, step in zip(extent_mm, self.spacing_mm, strict=True))
        card = card_of(configured(self.plans, CONFIGURATION), self.heads, "0" * 64)
        return len(plan_tiles((z, y, x), card).tiles)


SIZES = (
    NetworkSize("as CADS: ResEnc L, 30 classes", "ResidualEncoderUNet", (1.5, 1.5, 1.5), 30),
    NetworkSize(
        "as TotalSegmentator's head and neck: plain U-Net, 20 classes",
        "PlainConvUNet",
        (1.0, 0.75, 0.75),
        20,
    ),
)


@dataclass(frozen=True)
class TimedTiles:
    """One program with one network. seconds: of each tile, warm. needed: tiles for a whole CT."""

    size: str
    program: str
    seconds: tuple[float, ...]
    needed: int
    peak_memory_gb: float

    @property
    def whole(self) -> float:
        """Seconds for a whole CT: the median tile, scaled."""
        return median(self.seconds) * self.needed


def benchmark(sizes: tuple[NetworkSize, ...], tiles: int, environments: Path) -> list[TimedTiles]:
    """Both programs with each network. environments: that of nnunetv2 is its folder `nnunet`.

    Raises Fault where a program does not end well.
    """
    theirs = nnunet_python(environments)
    found = []
    for size in sizes:
        runs: list[tuple[str, list[str | Path], int]] = [
            ("OARflow, float32", _ours("float32"), size.tiles(BOX_MM))
        ]
        if has_bfloat16():
            runs.append(("OARflow, bfloat16", _ours("bfloat16"), size.tiles(BOX_MM)))
        if theirs is not None:
            peer = Path(__file__).with_name("nnunet_tiles_peer.py")
            runs.append(("nnunetv2, without mirroring", [theirs, peer], size.tiles(CT_MM)))
        for program, command, needed in runs:
            said = _run(command, size, tiles)
            found.append(
                TimedTiles(
                    size.title, program, tuple(said["seconds"]), needed, said["peak_memory_gb"]
                )
            )
    return found


def nnunet_python(environments: Path) -> Path | None:
    """The Python of nnunetv2's environment, if there is one."""
    python = environments.absolute() / "nnunet" / "bin" / "python"
    return python if python.is_file() else None


def _ours(precision: str) -> list[str | Path]:
    return [sys.executable, "-m", "oarflow.evaluation.benchmarks.imported_tiles", precision]


def _run(command: list[str | Path], size: NetworkSize, tiles: int) -> Mapping[str, Any]:
    """Run a program that ends its output with one line of JSON."""
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        plans = Path(name, "plans.json")
        plans.write_text(json.dumps(size.plans), encoding="utf-8")
        words = [*command, plans, str(size.heads), str(tiles)]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False, env=os.environ)
    if done.returncode:
        raise Fault(f"{Path(command[0]).name}: exit status {done.returncode}")
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return said


def page(found: list[TimedTiles], command: str, *, with_peer: bool) -> str:
    """The figures as Markdown."""
    rows = [
        (
            one.size,
            one.program,
            f"{median(one.seconds):.1f}",
            str(one.needed),
            f"{one.whole:,.0f}",
            f"{one.peak_memory_gb:.1f}",
        )
        for one in found
    ]
    timed = len(found[0].seconds) if found else 0
    box, ct = (" x ".join(f"{mm:.0f}" for mm in extent) for extent in (BOX_MM, CT_MM))
    skipped = (
        "" if with_peer else " nnunetv2 was not timed: there is no environment `.venvs/nnunet`."
    )
    columns = ("network", "program", "s a tile", "tiles", "s, scaled", "peak memory (GB)")
    return (
        "# Imported networks: seconds and memory\n\n"
        f"Made by `{command}` on {datetime.now(UTC):%Y-%m-%d}; {platform.machine()}, "
        f"{torch.get_num_threads()} threads.\n\n"
        f"Networks as nnU-Net plans them, with random weights. {timed} tiles were timed after one "
        "that is not counted; the median is scaled to all tiles. OARflow searches the box around "
        f"the organs ({box} mm), nnunetv2 the whole CT ({ct} mm); neither mirrors. Memory is that "
        f"of the process on the timed crop.{skipped}\n\n{markdown_table(columns, rows)}\n"
    )
