"""Flags of organs that were not contoured: why."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.flags.codes import FlagCode
from oarflow.flags.definition import Definition, of_organ

FAILED = ("failed",)
ABSENT = ("absent",)

UNCONTOURED: Mapping[FlagCode, Definition] = {
    FlagCode.NETWORK_ERROR: of_organ(
        FAILED,
        "Not contoured: this organ's neural network stopped with an error; see the log.",
        "network stopped with an error",
        "",
        meaning="A fault of the program, the network's file or the device.",
        check="The log; `oarflow self-test`. Contour the organ by hand.",
    ),
    FlagCode.RULE_ERROR: of_organ(
        FAILED,
        "Not contoured: this organ's rule stopped with an error; see the log.",
        "rule stopped with an error",
        "",
        meaning="A fault of the program.",
        check="The log; report it. Contour the organ by hand.",
    ),
    FlagCode.RULE_FOUND_NOTHING: of_organ(
        ("failed", "absent"),
        "Not contoured: {reason}.",
        "{reason}",
        "",
        meaning="A rule, not a network, contours this organ, and found nothing that fits.",
        check="The CT: contour the organ by hand where it is there.",
        reason="no air was found below the larynx",
    ),
    FlagCode.ORGAN_TIME_LIMIT: of_organ(
        FAILED,
        "Not contoured: the time limit for one organ (organ_seconds) was exceeded.",
        "longer than the time limit for one organ",
        "",
        meaning="This organ was skipped so as not to delay the others.",
        check="The load of the machine; the setting `organ_seconds`.",
    ),
    FlagCode.NOTHING_FOUND: of_organ(
        FAILED,
        "Not contoured: the localization network found the organ, but the organ's own network "
        "found "
        "nothing there.",
        "the localization network found it, its own network did not",
        "",
        meaning="Two networks disagree on whether the organ is there.",
        check="The CT: contour the organ by hand where it is there.",
    ),
    FlagCode.NO_SEARCH_REGION: of_organ(
        FAILED,
        "Not contoured: neither the localization network nor another organ gives a position to "
        "search.",
        "no position to search",
        "",
        meaning="The organ's network needs a position, and the localization network does not cover "
        "this organ.",
        check="Whether neighbouring organs were requested too; if so, contour it by hand.",
    ),
    FlagCode.REGION_ORGAN_MISSING: of_organ(
        ("failed", "absent"),
        "Not contoured: it is searched for near {organ}, which has no contour ({status}).",
        "searched for near {organ}, which has no contour",
        "{organ}",
        meaning="Its network needs the contour of another organ. It is `absent` if the other "
        "organ is "
        "`absent`, otherwise `failed`.",
        check="The other organ first.",
        organ="SpinalCord",
        status="absent",
        codes=(),
    ),
    FlagCode.NEEDS_MR: of_organ(
        FAILED,
        "Not contoured: this organ's network needs an MR, and {reason}.",
        "network needs an MR",
        "",
        meaning="The only network of this organ reads an MR registered to the CT.",
        check="Whether the study holds an MR of this patient, and why it was not used.",
        reason="none was given",
    ),
    FlagCode.NO_OUTLINE: of_organ(
        FAILED,
        "Not contoured: the network's result gives no outline for the RTSTRUCT ({reason}).",
        "no outline for the RTSTRUCT",
        "",
        meaning="The result of the network is too small or too thin for a contour.",
        check="Contour the organ by hand.",
        reason="no outline is large enough to be written",
    ),
    FlagCode.SELF_CHECK_FAILED: of_organ(
        FAILED,
        "Left out of the RTSTRUCT: the written contour did not match the network's result "
        "({failures}).",
        "left out: contour did not match the network's result",
        "",
        meaning="A fault of the program.",
        check="Report it with the log. Contour the organ by hand.",
        failures=("Dice 0.91, required 0.98",),
    ),
    FlagCode.NOT_IN_REGION: of_organ(
        ABSENT,
        "Not contoured: the network found nothing where other organs predict this organ.",
        "nothing found where other organs predict it",
        "",
        meaning="The localization network does not cover this organ; it was searched for where "
        "other organs predict it.",
        check="Whether the organ is in the scan.",
    ),
    FlagCode.TOO_SMALL: of_organ(
        ABSENT,
        "Not contoured: the network found only {volume_cc:.1f} cc, minimum {limit_cc:.1f} cc.",
        "only {volume_cc:.1f} cc found",
        "{volume_cc:.1f} cc",
        meaning="So small a volume is usually an error.",
        check="Whether the organ is in the scan.",
        volume_cc=0.8,
        limit_cc=2.0,
    ),
}
