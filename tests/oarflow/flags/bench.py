"""What flags are provoked with: networks of one organ, and files that are written with a fault."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from oarflow.flags.flag import Flag
from oarflow.intake import SeriesRules, read_volume
from oarflow.networks.card import Channel, Role, read_card, write_card
from oarflow.networks.store import ModelStore
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.specs import RoiSpec
from oarflow.segmentation.localizer import localize
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Localization, ProbabilityField, Segmentation, Status
from oarflow.volume import Volume
from oarflow.writing.proven import WritePlan, write_proved
from tests.oarflow.chain import Brightness, save_model, sphere_volume
from tests.oarflow.systems import Near, write_model
from tests.phantoms import make_series, write_series

ORGAN = "Parotid_L"
SAMPLE = Path(__file__).resolve().parents[3] / "samples" / "openkbp_validation" / "ct"


class Broken(torch.nn.Module):
    """Runs on no image."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.reshape(7, -1, 13)


class Blind(torch.nn.Module):
    """Sees nothing."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, :1] * 0 - 10


class LeftHalf(torch.nn.Module):
    """Sees the left half of its patch only."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = Brightness((ORGAN,), 1, -500.0, 500.0)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits = self.whole(image)
        seen = torch.arange(image.shape[3]) < image.shape[3] // 2
        return torch.where(seen, logits, torch.full_like(logits, -10.0))


def store_of(
    folder: Path, network: torch.nn.Module | None = None, *, patch_mm: float = 64.0
) -> ModelStore:
    """A localizer and a network of one organ; by default both see brightness."""
    save_model(folder / "localizer", Role.LOCALIZER, (ORGAN,), (5.0, 5.0, 5.0), (0.0, 0.0, 0.0))
    extent = (0.0, patch_mm, patch_mm)
    save_model(folder / ORGAN, Role.SEGMENTER, (ORGAN,), (0.0, 2.0, 2.0), extent, network=network)
    return ModelStore.open(folder, device="cpu")


def contoured(
    folder: Path,
    network: torch.nn.Module | None = None,
    *,
    least_cc: float = 0.0,
    localizations: Mapping[str, Localization] | None = None,
    seconds: float | None = None,
) -> Segmentation:
    """The organ of a ball of 12 mm, 40 mm to the left of the CT's middle.

    seconds: until the time limit.
    """
    store = store_of(folder, network)
    if least_cc:
        path = folder / ORGAN / "model.json"
        write_card(read_card(path).model_copy(update={"least_cc": {ORGAN: least_cc}}), path)
        store = ModelStore.open(folder, device="cpu")
    ct = sphere_volume({ORGAN: (40.0, 5.0, 0.0)})
    found = localize(ct, store) if localizations is None else localizations
    deadline = None if seconds is None else time.monotonic() + seconds
    return Segmenter(ct, found, store).segment(ORGAN, deadline)


def store_of_mr(folder: Path) -> ModelStore:
    """A network that sees the MR only."""
    channels = (Channel(window=(-500.0, 500.0)), Channel(source="mr", window=(0.0, 1000.0)))
    write_model(folder / "mr", Near((300.0,), channel=1), organs=(ORGAN,), channels=channels)
    return ModelStore.open(folder, device="cpu")


def noise_as_mr(ct: Volume) -> Volume:
    """An MR of noise on the CT's uppermost 48 slices."""
    grid = ct.grid
    shape = (48, *grid.shape[1:])
    part = replace(grid, positions_lps=grid.positions_lps[-48:], shape=shape)
    uids = ct.source.sop_instance_uids[-48:]
    noise = np.random.default_rng(1).normal(300, 100, shape).astype(np.float32)
    return Volume(noise, part, replace(ct.source, sop_instance_uids=uids))


def flags_of_writing(folder: Path, field: ProbabilityField) -> Sequence[Flag]:
    """Flags of a field that is written beside a sound organ on a CT of 16 slices of 64 x 64."""
    write_series(folder / "ct", make_series(slices=16, rows=64, columns=64, spacing_yx=(2.0, 2.0)))
    intake = read_volume(folder / "ct", SeriesRules())
    sound = ProbabilityField(np.ones((8, 8, 8), dtype=np.float32), (2, 8, 8))
    organs = {"Brainstem": sound, ORGAN: field}
    specs = {organ: RoiSpec(organ, organ, (255, 0, 0)) for organ in organs}
    plan = WritePlan(folder, specs, Provenance("0" * 64, "cpu"), datetime(2026, 1, 2, tzinfo=UTC))
    items = [Segmentation(organ, Status.SEGMENTED, field) for organ, field in organs.items()]
    written = write_proved(intake.volume, intake.paths, items, plan)
    assert written.segmentations[0].status is Status.SEGMENTED
    assert written.segmentations[1].status is Status.FAILED
    return written.segmentations[1].flags
