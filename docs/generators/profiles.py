"""The section on profiles in the page of settings."""

from __future__ import annotations

from oarflow.rtstruct.contours import EmptyOrgan, HoleStyle
from oarflow.rtstruct.profile import NameCharacters, Profile, load_profile, profile_names
from oarflow.tables import markdown_table

TEXT = """## Profiles

The setting `profile` names the planning system that receives the RTSTRUCT. A profile sets the
limits in this table and changes nothing else. OARflow shortens no name: a name or label outside
the limits ends the run with ROI_NAMES or STRUCTURE_LABEL.

{table}

The files in `oarflow/rtstruct/profiles` give the source of each limit.
"""

CHARACTERS = {
    NameCharacters.PLAIN: "a letter, then letters, digits and `_ - + ~ ^`",
    NameCharacters.TEXT: "all printable characters of the CT's character set",
}
HOLES = {HoleStyle.KEYHOLE: "keyholes of zero width", HoleStyle.XOR: "CLOSEDPLANAR_XOR"}
EMPTY = {EmptyOrgan.OMIT: "left out", EmptyOrgan.NAMED: "named, without contours"}


def section() -> str:
    """Every profile with its limits; profiles with equal limits share a row."""
    names: dict[tuple[str, ...], list[str]] = {}
    for name in profile_names():
        names.setdefault(limits(load_profile(name)), []).append(f"`{name}`")
    head = (
        "profile",
        "ROI names",
        "label",
        "coordinates",
        "points of a contour",
        "types of ROI",
        "holes",
        "organs without a contour",
    )
    rows = [(", ".join(found), *row) for row, found in names.items()]
    return TEXT.format(table=markdown_table(head, rows))


def limits(profile: Profile) -> tuple[str, ...]:
    """The cells of a profile's row."""
    kinds = profile.interpreted_types
    return (
        f"at most {profile.name_length} characters: {CHARACTERS[profile.name_characters]}",
        f"at most {profile.label_length} characters",
        f"{profile.decimals} decimals (mm)",
        f"at most {profile.points_per_contour:,}",
        ", ".join(kinds) if len(kinds) < 4 else f"{len(kinds)} types of DICOM PS3.3 C.8.8.8.1",
        HOLES[profile.hole_style],
        EMPTY[profile.empty_organ],
    )
