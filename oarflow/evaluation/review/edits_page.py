"""What a physicist changed in one structure set, as the table that people read."""

from __future__ import annotations

from oarflow.compare.figures import TOUCHED_MM
from oarflow.compare.records import Change, EditRecord
from oarflow.rtstruct.frames import OTHER_FRAME
from oarflow.tables import markdown_table


def markdown(record: EditRecord) -> str:
    """The table that people read."""
    rows = []
    for edit in record.organs:
        both = edit.volume_before_cc > 0 and edit.volume_after_cc > 0
        growth = f"{edit.volume_after_cc / edit.volume_before_cc - 1:+.0%}" if both else "-"
        hd95 = f"{edit.hd95_mm:.1f} mm" if edit.hd95_mm is not None else "-"
        rows.append(
            (
                edit.organ,
                edit.change,
                f"{edit.surface_dice:.3f}",
                f"{edit.dice:.3f}",
                hd95,
                f"{edit.added_path_mm:.0f} mm",
                f"{edit.volume_before_cc:.1f} cc",
                f"{edit.volume_after_cc:.1f} cc",
                growth,
                f"{edit.slices_touched} of {edit.slices}",
            )
        )
    table = markdown_table(_HEAD, rows)
    return (
        f"# What was changed\n\nContours of {record.started}; surface Dice within "
        f"{record.tolerance_mm:g} mm; a slice is touched where its outline moved by more than "
        f"{TOUCHED_MM:g} mm.\n\n" + "\n".join((table, *_listed(record))) + "\n"
    ) + "".join(f"\n{name}: {OTHER_FRAME}.\n" for name in record.left_out)


_HEAD = (
    "organ",
    "change",
    "surface Dice",
    "Dice",
    "HD95",
    "added path",
    "volume before",
    "after",
    "change",
    "slices touched",
)


def _listed(record: EditRecord) -> list[str]:
    """What was renamed, added, deleted or not matched, a line each where there is any."""
    pairs = record.matching.pairs if record.matching else ()
    others = record.matching.others if record.matching else ()
    by_change = {
        change: [edit.organ for edit in record.organs if edit.change is change]
        for change in (Change.ADDED, Change.DELETED)
    }
    renamed = [
        f"{pair.organ} came back as {', '.join(pair.names)}" for pair in pairs if pair.renamed
    ]
    listed = {
        "Renamed": renamed,
        "Added": by_change[Change.ADDED],
        "Deleted": by_change[Change.DELETED],
        "Not matched (deleted, or one of the other regions; no figures)": record.not_matched,
        "Other regions that came back": others,
    }
    lines = [f"- {name}: {'; '.join(some)}" for name, some in listed.items() if some]
    return ["", *lines] if lines else []
