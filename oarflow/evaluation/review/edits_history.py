"""Edits over months: whether contours of an organ and network version need more mending than they
did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from statistics import fmean, median

from scipy.stats import theilslopes

from oarflow.compare.records import Change, EditRecord
from oarflow.tables import markdown_table, write_csv

FEWEST_FOR_TREND = 8
"""Fewest cases for which a trend is stated."""

_MONTH_DAYS = 30.0


@dataclass(frozen=True)
class DatedEdit:
    """One organ of one case."""

    when: datetime
    organ: str
    network: str
    change: Change
    surface_dice: float
    added_path_mm: float
    share_touched: float


@dataclass(frozen=True)
class Trend:
    """Change of surface Dice in 30 days, with its 95 % confidence interval (Theil and Sen)."""

    slope: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """worse or better where the interval leaves zero out."""
        verdict = "worse" if self.high < 0 else "better" if self.low > 0 else "steady"
        return f"{verdict}: {self.slope:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


def read_entries(folder: Path) -> tuple[DatedEdit, ...]:
    """All delivered organs that have figures in a folder of records, oldest first.

    Raises ValueError where there is none, or a file is no record."""
    records = [EditRecord.read(path) for path in sorted(folder.glob("*.json"))]
    if not records:
        raise ValueError(f"{folder} holds no records of edits")
    entries = sorted(_entries(records), key=lambda entry: entry.when)
    if not entries:
        raise ValueError(
            f"no delivered organ was matched in the {len(records)} records of {folder}"
        )
    return tuple(entries)


def groups(entries: Iterable[DatedEdit]) -> dict[tuple[str, str], list[DatedEdit]]:
    """Entries by organ and network, in order."""
    found: dict[tuple[str, str], list[DatedEdit]] = defaultdict(list)
    for entry in entries:
        found[entry.organ, entry.network].append(entry)
    return dict(sorted(found.items()))


def trend(entries: Sequence[DatedEdit]) -> Trend | None:
    """The drift of surface Dice; None for too few cases or where all are of one moment."""
    months = [(e.when - entries[0].when).total_seconds() / 86400 / _MONTH_DAYS for e in entries]
    if len(entries) < FEWEST_FOR_TREND or len(set(months)) < 2:
        return None
    found = theilslopes([entry.surface_dice for entry in entries], months, 0.95)
    return Trend(float(found.slope), float(found.low_slope), float(found.high_slope))


def markdown(entries: Sequence[DatedEdit]) -> str:
    """By organ and network: all cases and their trend, then month by month."""
    rows = []
    months: list[tuple[object, ...]] = []
    for (organ, network), group in groups(entries).items():
        found = trend(group)
        rows.append(
            (
                organ,
                network,
                len(group),
                sum(entry.change is Change.KEPT for entry in group),
                f"{fmean(e.surface_dice for e in group):.3f}",
                f"{median(e.surface_dice for e in group):.3f}",
                f"{fmean(e.added_path_mm for e in group):.0f} mm",
                f"{fmean(e.share_touched for e in group):.0%}",
                found.words if found else "too few cases",
            )
        )
        by_month: dict[str, list[DatedEdit]] = defaultdict(list)
        for entry in group:
            by_month[f"{entry.when:%Y-%m}"].append(entry)
        months += [
            (
                organ,
                network,
                month,
                len(part),
                f"{fmean(e.surface_dice for e in part):.3f}",
                f"{fmean(e.added_path_mm for e in part):.0f} mm",
            )
            for month, part in by_month.items()
        ]
    span = f"{entries[0].when:%Y-%m-%d} to {entries[-1].when:%Y-%m-%d}"
    return (
        f"# Edits from {span}\n\nDeleted organs count with surface Dice 0; organs that were added "
        "or not matched are left out. Drift: Theil and Sen's slope of surface Dice with its 95 % "
        "confidence interval.\n\n"
        + markdown_table(_HEAD, rows)
        + "\n\n## By month\n\n"
        + markdown_table(_MONTHS_HEAD, months)
        + "\n"
    )


_HEAD = (
    "organ",
    "network",
    "cases",
    "kept as they were",
    "surface Dice, mean",
    "median",
    "added path, mean",
    "slices touched",
    "drift in 30 days",
)
_MONTHS_HEAD = ("organ", "network", "month", "cases", "surface Dice, mean", "added path, mean")


def write_entries(path: Path, entries: Iterable[DatedEdit]) -> None:
    """One line per case and organ."""
    rows = (
        (
            e.when.isoformat(),
            e.organ,
            e.network,
            e.change.value,
            f"{e.surface_dice:.4f}",
            f"{e.added_path_mm:.1f}",
            f"{e.share_touched:.3f}",
        )
        for e in entries
    )
    write_csv(path, [field.name for field in fields(DatedEdit)], rows)


def plot(path: Path, entries: Sequence[DatedEdit]) -> None:
    """Surface Dice over time, one panel an organ, one mark and line a network version."""
    from matplotlib.figure import Figure

    organs = sorted({entry.organ for entry in entries})
    figure = Figure(figsize=(9, 2.2 * len(organs) + 0.6), layout="constrained")
    axes = figure.subplots(len(organs), 1, squeeze=False, sharex=True)[:, 0]
    for axis, organ in zip(axes, organs, strict=True):
        mine = {n: group for (o, n), group in groups(entries).items() if o == organ}
        for number, (network, group) in enumerate(mine.items()):
            axis.plot(
                [entry.when for entry in group],
                [entry.surface_dice for entry in group],
                marker="osD^v"[number % 5],
                linestyle=("-", "--", ":", "-.")[number % 4],
                linewidth=1,
                markersize=4,
                label=network,
            )
        axis.set_title(organ, loc="left", fontsize=10)
        axis.set_ylabel("surface Dice")
        axis.set_ylim(-0.02, 1.02)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8, loc="lower left")
    figure.savefig(path, dpi=100)


def _entries(records: Iterable[EditRecord]) -> Iterable[DatedEdit]:
    for record in records:
        when = datetime.fromisoformat(record.started)
        for edit in record.organs:
            if edit.change is Change.ADDED:
                continue
            yield DatedEdit(
                when if when.tzinfo else when.astimezone(),
                edit.organ,
                edit.network or "unknown",
                edit.change,
                edit.surface_dice,
                edit.added_path_mm,
                edit.slices_touched / edit.slices if edit.slices else 0.0,
            )
