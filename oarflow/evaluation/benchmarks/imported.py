"""Imported networks of full size: seconds and peak memory, beside nnunetv2.

Weights are random: time does not depend on them. Each program runs in a process of its own, in
turns. A few tiles are timed and scaled to the tiles that a whole CT needs; all other steps are done
in full.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch

from oarflow.errors import Fault
from oarflow.evaluation.benchmarks.imported_run import CONFIGURATION, Measured, Task, card_of
from oarflow.importing.nnunet.plans import configured
from oarflow.networks.imported.tiles import plan_tiles
from oarflow.networks.precision import has_bfloat16
from oarflow.tables import markdown_table
from oarflow.types import Triple

SPACING_MM: Triple = (1.45, 0.998, 0.998)
"""Spacing (z, y, x) of the CT."""

CT_SHAPE = (186, 512, 512)
"""Voxels (z, y, x) of the CT."""

LONG_SHAPE = (400, 512, 512)
"""Voxels (z, y, x) of the CT on which the greatest memory is measured."""

BOX_MM: Triple = (240.0, 200.0, 200.0)
"""Extent (z, y, x) of the box around the organs of the head and neck, where OARflow runs."""

OARFLOW, NNUNET = "OARflow", "nnunetv2"

LEVELS_L = (1, 3, 4, 6, 6, 6)
"""Residual blocks of each stage in nnU-Net's preset ResEnc L."""

PATCH = (128, 128, 128)
FEATURES = (32, 64, 128, 256, 320, 320)


@dataclass(frozen=True)
class NetworkSize:
    """A network as nnU-Net plans it. heads: with the background.

    held: voxels (z, y, x) of the part of the CT on which nnunetv2 is measured, within the memory.
    """

    title: str
    kind: Literal["PlainConvUNet", "ResidualEncoderUNet"]
    spacing_mm: Triple
    heads: int
    held: tuple[int, int, int] = CT_SHAPE
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
            "resampling_fn_seg": name,
            "resampling_fn_seg_kwargs": resample | {"is_seg": True},
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

    def tiles(self, shape: tuple[int, int, int]) -> int:
        """Tiles of a whole CT of that shape."""
        z, y, x = (
            round(size * step / own)
            for size, step, own in zip(shape, SPACING_MM, self.spacing_mm, strict=True)
        )
        card = card_of(configured(self.plans, CONFIGURATION), self.heads, "0" * 64)
        return len(plan_tiles((z, y, x), card).tiles)

    def task(self, shape: tuple[int, int, int], tiles: int, **how: Any) -> Task:
        """The network with a CT of that shape. tiles: how many run."""
        return Task(self.plans, self.heads, shape, SPACING_MM, tiles=tiles, **how)


SIZES = (
    NetworkSize("as CADS: ResEnc L, 30 classes", "ResidualEncoderUNet", (1.5, 1.5, 1.5), 30),
    NetworkSize(
        "as TotalSegmentator's head and neck: plain U-Net, 20 classes",
        "PlainConvUNet",
        (1.0, 0.75, 0.75),
        20,
        held=(186, 320, 320),
    ),
)


@dataclass(frozen=True)
class Contender:
    """A program with one network. scale: its other steps' time on the whole CT, as a multiple."""

    name: str
    command: tuple[str | Path, ...]
    task: Task
    needed: int | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class TimedProgram:
    """What the runs of one program measured. needed: tiles for a whole CT."""

    size: str
    program: str
    needed: int
    scale: float
    runs: tuple[Measured, ...]

    @property
    def tile_processor(self) -> float:
        """Processor seconds of the median tile."""
        return median(chain.from_iterable(run.tile_processor for run in self.runs))

    @property
    def tile_seconds(self) -> float:
        """Wall seconds of the median tile."""
        return median(chain.from_iterable(run.tile_seconds for run in self.runs))

    @property
    def other_processor(self) -> float:
        """Processor seconds of all but the tiles, on a whole CT."""
        return median(run.other_processor for run in self.runs) * self.scale

    @property
    def processor(self) -> float:
        """Processor seconds for a whole CT."""
        return self.tile_processor * self.needed + self.other_processor

    @property
    def seconds(self) -> float:
        """Wall seconds for a whole CT."""
        other = median(run.other_seconds for run in self.runs) * self.scale
        return self.tile_seconds * self.needed + other

    @property
    def peak_memory_gb(self) -> float:
        return max(run.peak_memory_gb for run in self.runs)


def benchmark(
    sizes: tuple[NetworkSize, ...], tiles: int, rounds: int, environments: Path
) -> list[TimedProgram]:
    """All programs with each network. environments: that of nnunetv2 is its folder `nnunet`.

    tiles: timed in each round. rounds: how often the programs take turns. Raises Fault where a
    program does not end well.
    """
    theirs = nnunet_python(environments)
    found = []
    for size in sizes:
        contenders = _contenders(size, tiles + 1, theirs)
        runs: dict[str, list[Measured]] = {one.name: [] for one in contenders}
        for _ in range(rounds):
            for one in contenders:
                runs[one.name].append(_run(one.command, one.task))
        for one in contenders:
            done = tuple(runs[one.name])
            needed = one.needed or done[0].needed
            found.append(TimedProgram(size.title, one.name, needed, one.scale, done))
    return found


def longest(size: NetworkSize) -> Measured:
    """OARflow with a network on a long CT that is searched as a whole."""
    return _run(_ours(), size.task(LONG_SHAPE, 2, box_mm=None, bfloat16=has_bfloat16()))


def _contenders(size: NetworkSize, tiles: int, theirs: Path | None) -> list[Contender]:
    found = [Contender(f"{OARFLOW}, float32", _ours(), size.task(CT_SHAPE, tiles, box_mm=BOX_MM))]
    if theirs is not None:
        peer = Path(__file__).with_name("nnunet_run_peer.py")
        task = size.task(size.held, tiles, box_mm=None)
        scale = torch.Size(CT_SHAPE).numel() / torch.Size(size.held).numel()
        found.append(Contender(NNUNET, (theirs, "-P", peer), task, size.tiles(CT_SHAPE), scale))
    if has_bfloat16():
        task = size.task(CT_SHAPE, tiles, box_mm=BOX_MM, bfloat16=True)
        found.append(Contender(f"{OARFLOW}, bfloat16", _ours(), task))
    return found


def nnunet_python(environments: Path) -> Path | None:
    """The Python of nnunetv2's environment, if there is one."""
    python = environments.absolute() / "nnunet" / "bin" / "python"
    return python if python.is_file() else None


def _ours() -> tuple[str | Path, ...]:
    return sys.executable, "-m", "oarflow.evaluation.benchmarks.imported_run"


def _run(command: tuple[str | Path, ...], task: Task) -> Measured:
    """Run a program that ends its output with one line of JSON."""
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        path = Path(name, "task.json")
        path.write_text(json.dumps(asdict(task)), encoding="utf-8")
        done = subprocess.run(
            [*command, path], stdout=subprocess.PIPE, text=True, check=False, env=os.environ
        )
    if done.returncode:
        raise Fault(f"{Path(command[0]).name}: exit status {done.returncode}")
    return Measured(**json.loads(done.stdout.strip().splitlines()[-1]))


def page(found: list[TimedProgram], long: Measured, command: str, *, with_peer: bool) -> str:
    """The figures as Markdown. long: of `longest`."""
    rows = [
        (
            one.size,
            one.program,
            f"{one.tile_processor:.1f}",
            str(one.needed),
            f"{one.other_processor:.0f}",
            f"{one.processor:,.0f}",
            f"{one.seconds:,.0f}",
            f"{one.peak_memory_gb:.1f}",
        )
        for one in found
    ]
    columns = (
        "network",
        "program",
        "s a tile",
        "tiles",
        "other steps (s)",
        "whole CT (s)",
        "wall (s)",
        "peak memory (GB)",
    )
    timed = sum(len(run.tile_processor) for run in found[0].runs) if found else 0
    turns = len(found[0].runs) if found else 0
    box = " x ".join(f"{mm:.0f}" for mm in BOX_MM)
    ct, lengthy = (" x ".join(map(str, reversed(shape))) for shape in (CT_SHAPE, LONG_SHAPE))
    return (
        "# Imported networks: seconds and memory\n\n"
        f"Made by `{command}` on {datetime.now(UTC):%Y-%m-%d}; {platform.machine()}, "
        f"{_words(torch.get_num_threads(), 'thread')}.\n\n"
        f"Networks as nnU-Net plans them, with random weights, on a CT of {ct} voxels. Seconds are "
        "processor time, but for the column `wall`, which other programs lengthen. Tiles timed of "
        f"each program, after one that is not counted: {timed}, in {_words(turns, 'turn')}. Their "
        "median was scaled to all tiles. Other steps (resampling, and contours or labels) were "
        f"done in full. OARflow searches the box around the organs ({box} mm), nnunetv2 the whole "
        "CT. Neither mirrors.\n\n"
        f"{markdown_table(columns, rows)}\n\n{_compared(found, with_peer=with_peer)}"
        f"{_longest_words(long, lengthy)}"
    )


def _words(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _compared(found: list[TimedProgram], *, with_peer: bool) -> str:
    """How many times less OARflow needs than nnunetv2."""
    if not with_peer:
        return "nnunetv2 was not timed: there is no environment `.venvs/nnunet`.\n\n"
    rows = []
    peers = {one.size: one for one in found if one.program == NNUNET}
    for one in found:
        if one.program != NNUNET and one.size in peers:
            peer = peers[one.size]
            faster = f"{peer.processor / one.processor:.1f}"
            rows.append(
                (one.size, one.program, faster, f"{peer.peak_memory_gb / one.peak_memory_gb:.1f}")
            )
    table = markdown_table(("network", "program", "times faster", "times less memory"), rows)
    parts = [
        f"{size.title}: {' x '.join(map(str, reversed(size.held)))} voxels"
        for size in SIZES
        if size.held != CT_SHAPE and size.title in peers
    ]
    held = (
        "nnunetv2 holds the logits of a whole CT. It was therefore measured on a part of the CT,"
        " and its other steps were scaled; its peak memory is that of the part"
        f" ({'; '.join(parts)}).\n\n"
    )
    mirrored = (
        "nnunetv2 mirrors by default if the network was trained with mirroring. Each tile then"
        " takes eight times as long. TotalSegmentator itself first cuts the CT to the skull or the"
        " neck, which these rows of nnunetv2 do not.\n\n"
    )
    return f"## Beside nnunetv2\n\n{table}\n\n{held if parts else ''}{mirrored}"


def _longest_words(long: Measured, shape: str) -> str:
    return (
        "## Greatest memory\n\n"
        f"OARflow with {SIZES[0].heads} classes on a CT of {shape} voxels that is searched as a "
        f"whole ({long.needed} tiles): {long.peak_memory_gb:.1f} GB, and "
        f"{long.other_processor:.0f} s of processor time for all steps but the tiles, contours of "
        f"{SIZES[0].heads - 1} organs included.\n"
    )
