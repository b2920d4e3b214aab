"""Flags about a contour's position, size and ends."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.flags.codes import FlagCode
from oarflow.flags.definition import Definition, of_organ

SUSPICIOUS = ("suspicious",)

OF_EXTENT: Mapping[FlagCode, Definition] = {
    FlagCode.WRONG_SIDE: of_organ(
        SUSPICIOUS,
        "Centre lies {distance_mm:.0f} mm {direction} of {other}; it should lie at least "
        "{limit_mm:.0f} mm {expected} of it.",
        "{distance_mm:.0f} mm {direction} of {other}, should be {expected}",
        "{distance_mm:.0f} mm {direction}",
        meaning="A left organ must lie to the left of its right partner, of the brainstem and of "
        "the cord, and the reverse.",
        check="The side, on an axial slice, before anything else: left and right may be swapped.",
        distance_mm=55.0,
        direction="right",
        expected="left",
        other="Brainstem",
        others=("Parotid_R", "Brainstem"),
        limit_mm=5.0,
    ),
    FlagCode.MISPLACED: of_organ(
        SUSPICIOUS,
        "Centre lies {shift_mm:.0f} mm too far {direction}, measured from {other} and other "
        "organs.",
        "{shift_mm:.0f} mm too far {direction}, measured from {other}",
        "{shift_mm:.0f} mm {direction}",
        meaning="The other organs of this patient predict another place.",
        check="Whether the contour is on the wrong structure; unusual anatomy.",
        shift_mm=45.0,
        direction="inferior",
        other="Brainstem",
        deviation_sd=6.2,
        limit_sd=4.4,
        shifts_mm=(45.0,),
        directions=("inferior",),
    ),
    FlagCode.CENTRE_SHIFTED: of_organ(
        SUSPICIOUS,
        "Centre lies {shift_mm:.0f} mm away ({direction}) from where the localizer found the "
        "organ.",
        "{shift_mm:.0f} mm away ({direction}) from the localizer's position",
        "{shift_mm:.0f} mm {direction}",
        meaning="The network of the organ and the localizer disagree about its place.",
        check="Which of the two is right: the contour may be on a neighbouring structure.",
        shift_mm=15.0,
        direction="superior",
        limit_mm=8.1,
        shifts_mm=(15.0,),
        directions=("superior",),
    ),
    FlagCode.VOLUME_HIGH: of_organ(
        SUSPICIOUS,
        "Volume is {volume_cc:.1f} cc, usually at most {limit_cc:.1f} cc.",
        "volume {volume_cc:.1f} cc, usually at most {limit_cc:.1f} cc",
        "{volume_cc:.1f} cc",
        meaning="Larger than the reference contours of this organ.",
        check="A leak into a neighbouring structure; unusual anatomy.",
        volume_cc=62.0,
        limit_cc=45.0,
    ),
    FlagCode.VOLUME_LOW: of_organ(
        SUSPICIOUS,
        "Volume is {volume_cc:.1f} cc, usually at least {limit_cc:.1f} cc.",
        "volume {volume_cc:.1f} cc, usually at least {limit_cc:.1f} cc",
        "{volume_cc:.1f} cc",
        meaning="Smaller than the reference contours of this organ. Organs that the field of view "
        "cuts do not get this flag.",
        check="A missing part; surgery; unusual anatomy.",
        volume_cc=3.1,
        limit_cc=12.0,
    ),
    FlagCode.PAIR_UNEQUAL: of_organ(
        SUSPICIOUS,
        "Volume is {ratio:.2f} times that of {partner}, usually {bound} {limit_ratio:.2f} times.",
        "volume {ratio:.2f} times that of {partner}, usually {bound} {limit_ratio:.2f}",
        "ratio {ratio:.2f}",
        meaning="Left and right differ more than pairs usually do.",
        check="A missing part of the smaller organ, a leak of the larger one; surgery.",
        ratio=2.1,
        partner="Parotid_R",
        bound="at most",
        limit_ratio=1.5,
    ),
    FlagCode.SEVERAL_PIECES: of_organ(
        SUSPICIOUS,
        "Contour is in {pieces} separate pieces; the largest holds {largest_share:.0%} of the "
        "volume.",
        "{pieces} separate pieces, the largest holds {largest_share:.0%}",
        "{pieces} pieces",
        meaning="The organ is one piece (a pair: two), and the largest should hold at least 90% of "
        "the volume.",
        check="The gap between the pieces, or the stray piece.",
        pieces=3,
        largest_share=0.62,
        limit_share=0.9,
    ),
    FlagCode.EMPTY_SLICES: of_organ(
        SUSPICIOUS,
        "Contour is missing on {slices} slice(s) between its ends.",
        "missing on {slices} slice(s) between its ends",
        "{slices} empty",
        meaning="Slices between the first and the last outline have none.",
        check="The empty slices: fill them, or remove the stray piece.",
        slices=2,
    ),
    FlagCode.OVERLAP: of_organ(
        SUSPICIOUS,
        "{share:.0%} of the volume overlaps with {other}, usually at most {limit_share:.0%}.",
        "{share:.0%} overlaps with {other}",
        "{share:.0%} {other}",
        meaning="Both contours contain the same voxels.",
        check="Which of the two organs is there.",
        share=0.35,
        other="Glnd_Submand_L",
        others=("Glnd_Submand_L",),
        limit_share=0.2,
    ),
    FlagCode.PART_OUTSIDE: of_organ(
        SUSPICIOUS,
        "Only {share:.0%} of {part} lies inside this contour, usually at least {limit_share:.0%}.",
        "only {share:.0%} of {part} lies inside",
        "{share:.0%} of {part}",
        meaning="The cord leaves its canal, the brainstem the brain, or a lung the lungs.",
        check="Which of the two is too short, or in the wrong place.",
        share=0.5,
        part="SpinalCord",
        limit_share=0.88,
    ),
    FlagCode.END_SHORT: of_organ(
        SUSPICIOUS,
        "Contour stops {difference_mm:.0f} mm short of the {side} border that the localizer found.",
        "{difference_mm:.0f} mm short of the localizer's {side} border",
        "{difference_mm:.0f} mm {side}",
        meaning="One side does not reach as far as the localizer saw the organ.",
        check="A missing end on that side.",
        side="superior",
        difference_mm=20.0,
        limit_mm=16.0,
        sides=("superior",),
        differences_mm=(20.0,),
    ),
    FlagCode.END_BEYOND: of_organ(
        SUSPICIOUS,
        "Contour extends {difference_mm:.0f} mm beyond the {side} border that the localizer found.",
        "{difference_mm:.0f} mm beyond the localizer's {side} border",
        "{difference_mm:.0f} mm {side}",
        meaning="One side reaches further than the localizer saw the organ.",
        check="A tail or a leak on that side.",
        side="inferior",
        difference_mm=25.0,
        limit_mm=16.0,
        sides=("inferior",),
        differences_mm=(25.0,),
    ),
    FlagCode.ABRUPT_END: of_organ(
        SUSPICIOUS,
        "Contour ends abruptly on its {side} side: {width_share:.0%} of its full width there, "
        "usually at most {limit_share:.0%}.",
        "ends abruptly on its {side} side",
        "{width_share:.0%} {side}",
        meaning="The outermost 6 mm are about as wide as the middle, where the organ usually "
        "tapers.",
        check="Lost slices; a cut at a metal streak.",
        side="superior",
        width_share=0.95,
        usual_share=0.4,
        limit_share=0.9,
        sides=("superior",),
        width_shares=(0.95,),
    ),
    FlagCode.TISSUE_BEYOND: of_organ(
        SUSPICIOUS,
        "Similar tissue continues beyond the {side} side: {similar_share:.0%} of the voxels there, "
        "usually at most {limit_share:.0%}.",
        "similar tissue continues beyond its {side} side",
        "{similar_share:.0%} {side}",
        meaning="Up to 9 mm beyond that side the CT numbers are those of the inside, where other "
        "patients' organs have a border.",
        check="The part that is missing on that side.",
        side="superior",
        similar_share=0.6,
        usual_share=0.1,
        limit_share=0.5,
        sides=("superior",),
        similar_shares=(0.6,),
    ),
    FlagCode.CUT_SHORT: of_organ(
        SUSPICIOUS,
        "Contour seems to end too early on its {side} side ({deviation_sd:.1f} standard "
        "deviations, limit {limit_sd:.1f}).",
        "seems to end too early on its {side} side",
        "{deviation_sd:.1f} SD {side}",
        meaning="An abrupt end, similar tissue beyond it and the localizer's position, none of "
        "them beyond its own limit, together suggest a cut on one side.",
        check="The end on that side.",
        side="superior",
        deviation_sd=5.2,
        limit_sd=4.0,
        sides=("superior",),
        deviations_sd=(5.2,),
    ),
    FlagCode.PATCH_EDGE: of_organ(
        SUSPICIOUS,
        "Contour reaches the edge of the network's field of view; the organ may extend further.",
        "reaches the edge of the network's field of view",
        "",
        meaning="The network sees a patch of the CT, not all of it. The patch was enlarged twice "
        "and was still too small.",
        check="The end on that side.",
    ),
    FlagCode.FIELD_OF_VIEW: of_organ(
        ("truncated", "suspicious"),
        "CT ends within the organ ({sides}); only the visible part is contoured.",
        "cut by the field of view: {sides}",
        "{sides}",
        meaning="The CT's field of view cuts the organ. Without other flags it is `truncated`, not "
        "`suspicious`.",
        check="Volume and mean dose are those of the visible part.",
        sides=("inferior",),
    ),
}
