"""The application on the processor and on a GPU: equal contours, seconds and memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oarflow import api
from oarflow.compare.overlap import dice
from oarflow.networks.backend import choose_device
from oarflow.result import Run
from oarflow.tables import markdown_table

LEAST_DICE = 0.998

HEAD = """# GPU and processor

Made by `{command}`.

Each CT is contoured twice on each device, in one process. *Cold* is the first run, which also loads
libraries onto the device. Contours of both devices must have the same status and a Dice of at least
{least}. {verdict}

"""


@dataclass(frozen=True)
class OrganPair:
    """One organ on two devices. dice: None where neither has a contour."""

    organ: str
    statuses: tuple[str, str]
    dice: float | None

    @property
    def equal(self) -> bool:
        """Whether the status is the same, and the contour within the limit."""
        one, other = self.statuses
        return one == other and (self.dice is None or self.dice >= LEAST_DICE)


@dataclass(frozen=True)
class ComparedCt:
    """One CT. runs: by device, the cold and the warm one."""

    name: str
    runs: Mapping[str, tuple[Run, Run]]
    organs: tuple[OrganPair, ...]


def compare_devices(
    cts: Mapping[str, Path], models: Path, devices: tuple[str, str] = ("cpu", "cuda")
) -> list[ComparedCt]:
    """Contour every CT on both devices. cts: folders by name.

    Raises ConfigurationError DEVICE where a device is absent.
    """
    for device in devices:
        choose_device(device)
    found = []
    for name, folder in cts.items():
        runs, results = {}, []
        for device in devices:
            settings = {"device": device}
            cold = api.contour(folder, models=models, settings=settings)
            warm = api.contour(folder, models=models, settings=settings)
            runs[device] = (cold.document.run, warm.document.run)
            results.append(warm)
        found.append(ComparedCt(name, runs, pairs(*results)))
    return found


def pairs(
    one: Mapping[str, api.ContouredOrgan], other: Mapping[str, api.ContouredOrgan]
) -> tuple[OrganPair, ...]:
    """Every organ of two results of one CT."""
    return tuple(_pair(one[organ], other[organ]) for organ in one)


def _pair(one: api.ContouredOrgan, other: api.ContouredOrgan) -> OrganPair:
    drawn = one.mask.any() or other.mask.any()
    agreed = dice(one.mask, other.mask) if drawn else None
    return OrganPair(one.name, (one.status, other.status), agreed)


def page(found: Sequence[ComparedCt], command: str) -> str:
    """The figures as Markdown."""
    wrong = [f"{ct.name}: {one.organ}" for ct in found for one in ct.organs if not one.equal]
    verdict = f"These do not: {', '.join(wrong)}." if wrong else "All do."
    head = HEAD.format(command=command, least=LEAST_DICE, verdict=verdict)
    return head + "\n\n".join(_of_ct(ct) for ct in found) + "\n"


def _of_ct(ct: ComparedCt) -> str:
    columns = {
        f"{device}, {kind}": run
        for device, both in ct.runs.items()
        for kind, run in zip(("cold", "warm"), both, strict=True)
    }
    stages = dict.fromkeys(stage for run in columns.values() for stage in run.stages)
    rows = [
        (stage, *(f"{run.stages.get(stage, 0.0):.1f}" for run in columns.values()))
        for stage in stages
    ]
    rows.append(("whole run", *(f"{run.seconds:.1f}" for run in columns.values())))
    rows.append(("memory, MB", *(f"{run.peak_memory_mb:.0f}" for run in columns.values())))
    gpu = (run.peak_gpu_memory_mb for run in columns.values())
    rows.append(("GPU memory, MB", *("-" if mb is None else f"{mb:.0f}" for mb in gpu)))
    organs = [
        (one.organ, *one.statuses, "-" if one.dice is None else f"{one.dice:.4f}")
        for one in ct.organs
    ]
    seconds = markdown_table(("seconds", *columns), rows)
    contours = markdown_table(("organ", *(f"status, {name}" for name in ct.runs), "Dice"), organs)
    return f"## {ct.name}\n\n{seconds}\n\n{contours}"
