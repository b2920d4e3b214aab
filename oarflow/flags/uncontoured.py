"""Flags of organs that were not contoured, with the reason."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.flags.codes import FlagCode
from oarflow.flags.definition import Definition, of_organ

FAILED = ("failed",)
ABSENT = ("absent",)

UNCONTOURED: Mapping[FlagCode, Definition] = {
    FlagCode.NETWORK_ERROR: of_organ(
        FAILED,
        "Network stopped with an error; the log has the details.",
        "network stopped with an error",
        "",
        meaning="A fault of the program, the network's file or the device.",
        check="The log; `oarflow self-test`. Contour the organ by hand.",
    ),
    FlagCode.ORGAN_TIME_LIMIT: of_organ(
        FAILED,
        "Contouring took longer than the time limit for one organ (organ_seconds).",
        "longer than the time limit for one organ",
        "",
        meaning="The organ was skipped, so that the others are delivered in time.",
        check="The load of the computer; the setting `organ_seconds`.",
    ),
    FlagCode.NOTHING_FOUND: of_organ(
        FAILED,
        "Localizer found the organ, but the organ's own network found nothing there.",
        "localizer found it, its own network did not",
        "",
        meaning="Two networks disagree on whether the organ is there.",
        check="The CT: contour the organ by hand if it is there.",
    ),
    FlagCode.NO_SEARCH_REGION: of_organ(
        FAILED,
        "No search region: the localizer does not cover this organ, and no other organ predicts "
        "its position.",
        "no search region",
        "",
        meaning="The network needs a search region, and neither the localizer nor other organs "
        "provide one.",
        check="Whether neighbouring organs are requested; otherwise contour it by hand.",
    ),
    FlagCode.REGION_ORGAN_MISSING: of_organ(
        ("failed", "absent"),
        "This organ is searched around {organ}, which is {status}.",
        "searched around {organ}, which is {status}",
        "{organ}",
        meaning="The network starts from the contour of another organ, which is missing. This "
        "organ is `absent` if the other one is, else `failed`.",
        check="The other organ first.",
        organ="SpinalCord",
        status="absent",
        codes=(),
    ),
    FlagCode.NEEDS_MR: of_organ(
        FAILED,
        "This organ's network needs an MR; {reason}.",
        "network needs an MR",
        "",
        meaning="The only network of this organ reads an MR registered to the CT.",
        check="Whether the study holds an MR of this patient, and why it was not used.",
        reason="none was given",
    ),
    FlagCode.NO_OUTLINE: of_organ(
        FAILED,
        "Outline cannot be written: {reason}.",
        "outline cannot be written",
        "",
        meaning="The network's mask gives no contour that can be written to an RTSTRUCT.",
        check="Contour the organ by hand.",
        reason="no outline is large enough to be written",
    ),
    FlagCode.SELF_CHECK_FAILED: of_organ(
        FAILED,
        "Contour read back from the RTSTRUCT does not match its mask: {failures}.",
        "contour does not match its mask",
        "",
        meaning="A fault of the program: the contour was left out of the file.",
        check="Report it with the log. Contour the organ by hand.",
        failures=("Dice 0.91, at least 0.98",),
    ),
    FlagCode.NOT_IN_REGION: of_organ(
        ABSENT,
        "Network found nothing in the region predicted from other organs.",
        "nothing in the region predicted from other organs",
        "",
        meaning="The localizer does not cover this organ; it was searched where other organs "
        "predict it.",
        check="Whether the organ is in the scan.",
    ),
    FlagCode.TOO_SMALL: of_organ(
        ABSENT,
        "Network found only {volume_cc:.1f} cc, below the minimum volume of {limit_cc:.1f} cc.",
        "only {volume_cc:.1f} cc found",
        "{volume_cc:.1f} cc",
        meaning="So small a volume is more often an error than the organ.",
        check="Whether the organ is in the scan.",
        volume_cc=0.8,
        limit_cc=2.0,
    ),
}
