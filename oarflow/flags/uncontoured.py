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
        meaning="The program, the file of the network or the device has a fault.",
        check="The log, and `oarflow self-test`. Contour the organ by hand.",
    ),
    FlagCode.RULE_ERROR: of_organ(
        FAILED,
        "Not contoured: this organ's rule stopped with an error; see the log.",
        "rule stopped with an error",
        "",
        meaning="The program has a fault.",
        check="The log: report the fault with it. Contour the organ by hand.",
    ),
    FlagCode.RULE_FOUND_NOTHING: of_organ(
        ("failed", "absent"),
        "Not contoured: {reason}.",
        "{reason}",
        "",
        meaning="A rule contours this organ. It found nothing that fits.",
        check="The CT. If it shows the organ, contour it by hand.",
        reason="no air was found below the larynx",
    ),
    FlagCode.ORGAN_TIME_LIMIT: of_organ(
        FAILED,
        "Not contoured: the time limit for one organ (organ_seconds) was exceeded.",
        "longer than the time limit for one organ",
        "",
        meaning="This organ was skipped, so that the others are not delayed.",
        check="The load of the machine, and the setting `organ_seconds`. Contour the organ by "
        "hand.",
    ),
    FlagCode.NOTHING_FOUND: of_organ(
        FAILED,
        "Not contoured: the localization network found the organ, but the organ's own network "
        "found "
        "nothing there.",
        "the localization network found it, its own network did not",
        "",
        meaning="Two networks disagree whether the CT shows the organ.",
        check="The CT. If it shows the organ, contour it by hand.",
    ),
    FlagCode.NO_SEARCH_REGION: of_organ(
        FAILED,
        "Not contoured: neither the localization network nor another organ gives a position to "
        "search.",
        "no position to search",
        "",
        meaning="The network of the organ needs a position. The localization network does not "
        "know the organ, and no other contour predicts its position.",
        check="Whether the neighbouring organs were requested too. If they were, contour the "
        "organ by hand.",
    ),
    FlagCode.REGION_ORGAN_MISSING: of_organ(
        ("failed", "absent"),
        "Not contoured: it is searched for near {organ}, which has no contour ({status}).",
        "searched for near {organ}, which has no contour",
        "{organ}",
        meaning="The network of the organ needs the contour of another organ. If the other organ "
        "is `absent`, this organ is `absent`. Otherwise it is `failed`.",
        check="First the other organ.",
        organ="SpinalCord",
        status="absent",
        codes=(),
    ),
    FlagCode.NEEDS_MR: of_organ(
        FAILED,
        "Not contoured: this organ's network needs an MR, and {reason}.",
        "network needs an MR",
        "",
        meaning="The only network of this organ reads an MR that is registered to the CT.",
        check="Whether the study holds an MR of this patient, and why it was not used.",
        reason="none was given",
    ),
    FlagCode.NO_OUTLINE: of_organ(
        FAILED,
        "Not contoured: the mask gives no outline for the RTSTRUCT ({reason}).",
        "no outline for the RTSTRUCT",
        "",
        meaning="The mask of the organ or structure is too small or too thin for a contour.",
        check="The CT. Contour the organ by hand.",
        reason="no outline is large enough to be written",
    ),
    FlagCode.SELF_CHECK_FAILED: of_organ(
        FAILED,
        "Left out of the RTSTRUCT: the written contour did not match its mask ({failures}).",
        "left out: contour did not match its mask",
        "",
        meaning="The program has a fault.",
        check="The log: report the fault with it. Contour the organ by hand.",
        failures=("Dice 0.91, required 0.98",),
    ),
    FlagCode.NOT_IN_REGION: of_organ(
        ABSENT,
        "Not contoured: the network found nothing where other organs predict this organ.",
        "nothing found where other organs predict it",
        "",
        meaning="The localization network does not know the organ. The network of the organ "
        "searched at the position that other organs predict.",
        check="Whether the CT shows the organ.",
    ),
    FlagCode.TOO_SMALL: of_organ(
        ABSENT,
        "Not contoured: the network found only {volume_cc:.1f} cc, minimum {limit_cc:.1f} cc.",
        "only {volume_cc:.1f} cc found",
        "{volume_cc:.1f} cc",
        meaning="So small a contour is usually an error.",
        check="Whether the CT shows the organ.",
        volume_cc=0.8,
        limit_cc=2.0,
    ),
    FlagCode.ONLY_SECOND_FOUND: of_organ(
        FAILED,
        "Not contoured, but the second network, {network}, finds {volume_cc:.1f} cc of this organ.",
        "the second network finds {volume_cc:.1f} cc",
        "{volume_cc:.1f} cc",
        meaning="The setting `second_opinion` asks another network. Its contour is not written. "
        "Volumes below the least plausible one of the organ do not count.",
        check="Whether the CT shows the organ. If it does, contour it by hand.",
        network="imported/Dataset001",
        volume_cc=24.1,
    ),
}
