"""Flags of derived structures: what they inherit from their parents, and why there is none."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.flags.codes import FlagCode
from oarflow.flags.definition import Definition, of_organ

NOT_DERIVED = ("not_derived",)

OF_DERIVED: Mapping[FlagCode, Definition] = {
    FlagCode.PARENT_SUSPICIOUS: of_organ(
        ("suspicious",),
        "Made from {parent}, which is suspicious.",
        "made from {parent}, which is suspicious",
        "{parent}",
        meaning="An error of the parent's contour is an error of this structure too.",
        check="The parent first. After a correction of the parent, make this structure again.",
        parent="SpinalCord",
        codes=("VOLUME_LOW",),
    ),
    FlagCode.PARENT_TRUNCATED: of_organ(
        ("truncated", "suspicious"),
        "Made from {parent}, which the CT shows in part only.",
        "made from {parent}, which is truncated",
        "{parent}",
        meaning="The CT's field of view cuts the parent. A part of this structure is missing too.",
        check="The end of the structure where the CT cuts the parent.",
        parent="SpinalCord",
    ),
    FlagCode.PARENT_MISSING: of_organ(
        NOT_DERIVED,
        "Not made: {parent} has no contour ({status}).",
        "{parent} has no contour",
        "{parent}",
        meaning="The recipe needs a contour that this run does not have. `status` is the parent's; "
        "`codes` are the parent's flags.",
        check="The parent first. Contour it by hand, and make this structure from it.",
        parent="SpinalCord",
        status="absent",
        codes=(),
    ),
    FlagCode.NOTHING_LEFT: of_organ(
        NOT_DERIVED,
        "Not made: the recipe leaves no voxel ({recipe}).",
        "the recipe leaves nothing",
        "",
        meaning="The parents do not meet, or nothing is thick enough for the recipe.",
        check="The parents, and the distances in the recipe.",
        recipe="SpinalCord shrunk by 10 mm",
    ),
    FlagCode.RECIPE_ERROR: of_organ(
        NOT_DERIVED,
        "Not made: the program stopped with an error; see the log.",
        "the program stopped with an error",
        "",
        meaning="The program has a fault.",
        check="The log: report the fault with it. Make the structure in the planning system.",
    ),
}
