"""The page of SLICE's experiment as far as it has been trained."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from oarflow.tables import markdown_table
from oarflow.training.papers.slice.comparison import NetworkPair, at_best, corrected, pairs
from oarflow.training.papers.slice.data_summary import DataSummary, range_text
from oarflow.training.papers.slice.plan import APPROACHES, PARTS, ExperimentSettings
from oarflow.training.papers.slice.unit import UNIT_NAME, read_unit

PAGE_NAME = "slice-experiment.md"
PAPER_PIXEL_MM = 0.9765625

HEAD = """# SLICE's experiment: networks on crops and on full slices

Made by `{command}`.

{finished} of {all} networks are trained and measured.{missing}

The experiment trains two networks for each organ and backbone: one on crops, one on full slices.

**Patients**

- Data: {data}; {readable} patients. For each organ, {patients} with its contour
  are used.
- The split is 70/15/15 **by patient** ({counts} fit, tune and test), the same for every network of
  an organ.
- The paper splits by slices. Neighbouring slices of one patient are nearly copies of each other, so
  that test slices have copies in training. Such a test gives too good values.

**Networks**

- U-Nets on the named encoder at a quarter of the width (`{table}`).
- All networks are trained alike: from scratch, Dice loss, Adam 5e-4, {steps} steps of 16 slices.
  The weights that validated best are used.
- As in the paper, only slices that hold the organ are used, without augmentation.

**Images**

- Pixels are {pixel} mm for both, {times} times the paper's 0.9766 mm. The CTs' own pixels are {own}
  mm, and their slices are {slices} mm apart.
- Crops have {crops} pixels ({edges} mm), full slices {whole} pixels.
- A crop lies around the reference's centre, as in the paper. This favours the crops: in use, a
  localization network gives the centre with an error. Full slices need no centre.

**Tables**

- In the first two tables, the backbone of the networks on crops is the one with the highest IoU on
  the tuning patients. The backbone of the networks on full slices is chosen in the same way, among
  these networks. If the backbones differ, that of the crops comes first. One backbone for both,
  chosen by the crops, would favour the crops. Later trainings on crops use the backbone of the
  crops (`backbones.yaml`).
- Dice and IoU are per patient, over the slices that hold the organ, on the grid of the CT.
- Times are {clock}. Inference covers all slices of a scan, from the CT to the mask.
- Wilcoxon's signed-rank test (two-sided) pairs the **patients within an organ**. It is
  Holm-corrected over the rows of a table. With n pairs, p cannot be below 2 / 2^n. The paper pairs
  41 organ means instead, which says nothing about the spread between patients.
"""

CLAIMS = {
    "Dice": "+3.2 %",
    "IoU": "+4.1 %",
    "spread of Dice": "-13.0 %",
    "spread of IoU": "-8.1 %",
    "training": "2.3 x faster",
    "inference": "8 x faster (3 to 30)",
}


def write_page(
    settings: ExperimentSettings,
    data: DataSummary,
    folder: Path,
    output: Path,
    *,
    command: str,
    device: str,
) -> bool:
    """Write the page; False, and nothing written, where no organ has both its networks yet."""
    everything = pairs(settings, folder)
    if not everything:
        return False
    best = at_best(settings, folder)
    sections = [
        _head(settings, data, folder, command, device),
        "## By organ, with the backbones that are best on the tuning patients\n",
        _table(best),
        "## Compared with the paper\n",
        _claims(best),
        "## All backbones\n",
        _table(corrected(everything)),
        "## Cost\n",
        _cost(everything),
    ]
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text("\n".join(sections), encoding="utf-8")
    return True


def _head(
    settings: ExperimentSettings, data: DataSummary, folder: Path, command: str, device: str
) -> str:
    units = list(settings.units())
    missing = [unit.name for unit in units if not (folder / unit.name / UNIT_NAME).exists()]
    sliced, full = (
        [unit.configuration(settings) for unit in units if unit.approach == approach]
        for approach in APPROACHES
    )
    pixel = full[0].spacing_mm[1]
    return HEAD.format(
        command=command,
        finished=len(units) - len(missing),
        all=len(units),
        missing=f" Missing: {', '.join(missing)}." if missing else "",
        data=data.name,
        readable=data.patients,
        patients=f"at most {settings.patients} patients" if settings.patients else "all patients",
        counts=_counts(settings, folder),
        pixel=f"{pixel:g}",
        times=f"{pixel / PAPER_PIXEL_MM:.3g}",
        own=range_text(data.pixel_mm),
        slices=range_text(data.slice_mm),
        crops=_either(one.patch_voxels[1] for one in sliced),
        edges=_either(one.patch_mm[1] for one in sliced),
        whole=_either(one.patch_voxels[1] for one in full),
        table="oarflow/training/configurations/slice_compact.yaml",
        steps=f"{settings.steps:,}",
        clock="CPU time on one thread, validation included"
        if device == "cpu"
        else f"the wall's, on {device}",
    )


def _either(values: Iterable[float]) -> str:
    return " or ".join(f"{value:g}" for value in sorted(set(values)))


def _counts(settings: ExperimentSettings, folder: Path) -> str:
    """How many patients fit, tune and test, each organ's where they are not all alike."""
    found: dict[str, str] = {}
    for unit in settings.units():
        if (finished := read_unit(folder / unit.name)) is not None:
            patients = finished[0].patients
            found[unit.organ] = ", ".join(str(patients[part]) for part in PARTS)
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return "; ".join(f"{organ} {some}" for organ, some in found.items())


def _table(some: Sequence[NetworkPair]) -> str:
    compared = ("difference", "p (Holm)")
    rows = []
    for pair in some:
        one, other = pair.sliced, pair.full
        rows.append(
            (
                pair.organ,
                pair.backbone,
                pair.n,
                f"{one.dice:.3f} ± {one.dice_sd:.3f}",
                f"{other.dice:.3f} ± {other.dice_sd:.3f}",
                f"{one.dice - other.dice:+.3f}",
                f"{pair.dice_holm:.2g}",
                f"{one.iou:.3f} ± {one.iou_sd:.3f}",
                f"{other.iou:.3f} ± {other.iou_sd:.3f}",
                f"{one.iou - other.iou:+.3f}",
                f"{pair.iou_holm:.2g}",
            )
        )
    head = ("organ", "backbone", "n", "Dice sliced", "Dice full", *compared)
    return markdown_table((*head, "IoU sliced", "IoU full", *compared), rows) + "\n"


def _claims(some: Sequence[NetworkPair]) -> str:
    def mean(values: Sequence[float]) -> float:
        return statistics.mean(values)

    one, other = [pair.sliced for pair in some], [pair.full for pair in some]
    dice = mean([a.dice - b.dice for a, b in zip(one, other, strict=True)])
    iou = mean([a.iou - b.iou for a, b in zip(one, other, strict=True)])
    seconds = [b.seconds / a.seconds for a, b in zip(one, other, strict=True)]
    found = {
        "Dice": f"{100 * dice:+.1f} points",
        "IoU": f"{100 * iou:+.1f} points",
        "spread of Dice": _change([side.dice_sd for side in one], [side.dice_sd for side in other]),
        "spread of IoU": _change([side.iou_sd for side in one], [side.iou_sd for side in other]),
        "training": f"{sum(b.train_minutes for b in other) / sum(a.train_minutes for a in one):.1f}"
        " x faster",
        "inference": f"{mean(seconds):.1f} x faster ({min(seconds):.1f} to {max(seconds):.1f})",
    }
    lines = [
        f"Means over {len(some)} organs. The paper gives means over 41 organs. It does not say"
        " whether its per cent are percentage points.",
        "",
        markdown_table(
            ("sliced against full", "here", "paper"),
            [(name, value, CLAIMS[name]) for name, value in found.items()],
        ),
    ]
    return "\n".join(lines) + "\n"


def _change(sliced: Sequence[float], full: Sequence[float]) -> str:
    before = statistics.mean(full)
    return f"{100 * (statistics.mean(sliced) / before - 1):+.1f} %" if before else "no spread"


def _cost(some: Sequence[NetworkPair]) -> str:
    rows = []
    for pair in some:
        one, other = pair.sliced, pair.full
        rows.append(
            (
                pair.organ,
                pair.backbone,
                f"{one.parameters:,}",
                f"{one.train_minutes:.1f}",
                f"{other.train_minutes:.1f}",
                f"{one.seconds:.2f}",
                f"{other.seconds:.2f}",
                f"{one.tune_iou:.3f}",
                f"{other.tune_iou:.3f}",
            )
        )
    costs = ("training minutes, sliced", "full", "seconds a scan, sliced", "full")
    head = ("organ", "backbone", "parameters", *costs, "tuning IoU, sliced", "full")
    return markdown_table(head, rows) + "\n"
