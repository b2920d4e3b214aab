"""Flags of a contour's place, size and ends."""

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
        "the cord. A right organ must lie to the right of them.",
        check="First the side, on an axial slice: left and right may be swapped.",
        distance_mm=55.0,
        direction="right",
        expected="left",
        other="Brainstem",
        others=("Parotid_R", "Brainstem"),
        limit_mm=5.0,
    ),
    FlagCode.MISPLACED: of_organ(
        SUSPICIOUS,
        "Centre lies {shift_mm:.0f} mm {direction} of the position expected from {other} and other "
        "organs ({deviation_sd:.1f} SD, limit {limit_sd:.1f}).",
        "{shift_mm:.0f} mm {direction} of its expected position",
        "{shift_mm:.0f} mm {direction}",
        meaning="The other organs of this patient predict another position. SD is the standard "
        "deviation between patients.",
        check="Whether the contour is on a wrong structure. The anatomy may also be unusual.",
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
        "Centre lies {shift_mm:.0f} mm {direction} of the position that the localization network "
        "found, usually at most {limit_mm:.0f} mm.",
        "{shift_mm:.0f} mm {direction} of the localization network's position",
        "{shift_mm:.0f} mm {direction}",
        meaning="The network of the organ and the localization network disagree about the "
        "position.",
        check="Whether the contour is on a neighbouring structure. The localization network may "
        "also be wrong.",
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
        meaning="The contour is larger than nearly all reference contours of this organ.",
        check="Leaks into a neighbouring structure. The organ may also be large in this patient.",
        volume_cc=62.0,
        limit_cc=45.0,
    ),
    FlagCode.VOLUME_LOW: of_organ(
        SUSPICIOUS,
        "Volume is {volume_cc:.1f} cc, usually at least {limit_cc:.1f} cc.",
        "volume {volume_cc:.1f} cc, usually at least {limit_cc:.1f} cc",
        "{volume_cc:.1f} cc",
        meaning="The contour is smaller than nearly all reference contours of this organ. Organs "
        "that the field of view cuts are not checked.",
        check="Missing parts. The organ may also be small in this patient, or partly removed by "
        "surgery.",
        volume_cc=3.1,
        limit_cc=12.0,
    ),
    FlagCode.PAIR_UNEQUAL: of_organ(
        SUSPICIOUS,
        "Volume is {ratio:.2f} times that of {partner}, usually {bound} {limit_ratio:.2f} times.",
        "volume {ratio:.2f} times that of {partner}, usually {bound} {limit_ratio:.2f}",
        "ratio {ratio:.2f}",
        meaning="The volumes of the left and the right organ differ more than usual.",
        check="A missing part of the smaller organ, or a leak of the larger one. Surgery may "
        "also be the cause.",
        ratio=2.1,
        partner="Parotid_R",
        bound="at most",
        limit_ratio=1.5,
    ),
    FlagCode.SEVERAL_PIECES: of_organ(
        SUSPICIOUS,
        "Contour is in {pieces} separate pieces; the largest holds {largest_share:.0%} of the "
        "volume, usually at least {limit_share:.0%}.",
        "{pieces} separate pieces, the largest holds {largest_share:.0%}",
        "{pieces} pieces",
        meaning="The contour has more pieces than expected (1; 2 for Lungs), and its largest piece "
        "is too small.",
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
        meaning="Slices between the first and the last slice of the organ have no outline.",
        check="The empty slices: fill them, or remove the stray piece.",
        slices=2,
    ),
    FlagCode.OVERLAP: of_organ(
        SUSPICIOUS,
        "{share:.0%} of this organ's volume also lies inside {other}, usually at most "
        "{limit_share:.0%}.",
        "{share:.0%} overlaps with {other}",
        "{share:.0%} {other}",
        meaning="Two contours share voxels.",
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
        meaning="A structure should lie inside this one, but part of it lies outside. This "
        "concerns the cord in the canal, the brainstem in the brain, and each lung in "
        "Lungs.",
        check="Which of the two contours is too short, or in the wrong place.",
        share=0.5,
        part="SpinalCord",
        limit_share=0.88,
    ),
    FlagCode.END_SHORT: of_organ(
        SUSPICIOUS,
        "Contour ends {difference_mm:.0f} mm short of the {side} border that the localization "
        "network "
        "found, usually at most {limit_mm:.0f} mm.",
        "{difference_mm:.0f} mm short of the expected {side} border",
        "{difference_mm:.0f} mm {side}",
        meaning="The contour ends before the border that the localization network found.",
        check="The end on that side: it may be missing.",
        side="superior",
        difference_mm=20.0,
        limit_mm=16.0,
        sides=("superior",),
        differences_mm=(20.0,),
    ),
    FlagCode.END_BEYOND: of_organ(
        SUSPICIOUS,
        "Contour ends {difference_mm:.0f} mm beyond the {side} border that the localization "
        "network "
        "found, usually at most {limit_mm:.0f} mm.",
        "{difference_mm:.0f} mm beyond the expected {side} border",
        "{difference_mm:.0f} mm {side}",
        meaning="The contour ends beyond the border that the localization network found.",
        check="The end on that side: it may have a tail or a leak.",
        side="inferior",
        difference_mm=25.0,
        limit_mm=16.0,
        sides=("inferior",),
        differences_mm=(25.0,),
    ),
    FlagCode.ABRUPT_END: of_organ(
        SUSPICIOUS,
        "Contour does not taper on its {side} side: the last 6 mm have {width_share:.0%} of the "
        "width "
        "in the middle, usually at most {limit_share:.0%}.",
        "does not taper on its {side} side",
        "{width_share:.0%} {side}",
        meaning="The organ usually tapers at this end. Here the outermost 6 mm are about as wide "
        "as the middle.",
        check="The end on that side: slices may be lost, or a metal streak may cut the contour.",
        side="superior",
        width_share=0.95,
        usual_share=0.4,
        limit_share=0.9,
        sides=("superior",),
        width_shares=(0.95,),
    ),
    FlagCode.TISSUE_BEYOND: of_organ(
        SUSPICIOUS,
        "The {side} part may be missing: {similar_share:.0%} of the voxels up to 9 mm beyond have "
        "the "
        "organ's CT numbers, usually at most {limit_share:.0%}.",
        "{side} part may be missing: similar tissue beyond",
        "{similar_share:.0%} {side}",
        meaning="In other patients, the CT numbers change at this border. Here they continue "
        "beyond it.",
        check="The end on that side: it may be missing.",
        side="superior",
        similar_share=0.6,
        usual_share=0.1,
        limit_share=0.5,
        sides=("superior",),
        similar_shares=(0.6,),
    ),
    FlagCode.CUT_SHORT: of_organ(
        SUSPICIOUS,
        "The {side} part may be missing: shape, tissue and position there together deviate by "
        "{deviation_sd:.1f} SD (limit {limit_sd:.1f}).",
        "{side} part may be missing",
        "{deviation_sd:.1f} SD {side}",
        meaning="Several signs of one side together exceed the limit: no taper, similar tissue "
        "beyond, or a wrong distance to the expected border. SD is the standard "
        "deviation between patients.",
        check="The end on that side: it may be missing.",
        side="superior",
        deviation_sd=5.2,
        limit_sd=4.0,
        sides=("superior",),
        deviations_sd=(5.2,),
    ),
    FlagCode.PATCH_EDGE: of_organ(
        SUSPICIOUS,
        "Contour reaches the edge of the part of the CT that the network reads; the organ may "
        "extend further.",
        "reaches the edge of the network's input",
        "",
        meaning="The network reads a part of the CT around the organ. OARflow enlarged this part "
        "twice, but it is still too small.",
        check="The outline at that edge: a part of the organ may be missing.",
    ),
    FlagCode.AREA_JUMP: of_organ(
        SUSPICIOUS,
        "Cross-section changes by {change_cm2:.0f} cm2 between slices {first} and {second}, "
        "usually at most {limit_cm2:.0f} cm2.",
        "cross-section changes by {change_cm2:.0f} cm2 between slices {first} and {second}",
        "{change_cm2:.0f} cm2",
        meaning="The outline of the body differs much between neighbouring slices. Slices are "
        "numbered from 1, from the feet to the head.",
        check="Both slices: a missing shoulder or arm, a couch inside the outline, or a CT "
        "whose parts were cut away.",
        change_cm2=160.0,
        first=42,
        second=43,
        limit_cm2=120.0,
    ),
    FlagCode.DEVICE_TOUCHED: of_organ(
        SUSPICIOUS,
        "{share:.0%} of the surface touches a couch, mask or other device, usually at most "
        "{limit_share:.0%}.",
        "{share:.0%} of the surface touches a device",
        "{share:.0%}",
        meaning="The outline separates the body from devices by their shape. It is less certain "
        "where they touch.",
        check="The back, the neck and the ears: parts of a device inside the outline.",
        share=0.25,
        limit_share=0.15,
    ),
    FlagCode.PARTS_LEFT_OUT: of_organ(
        SUSPICIOUS,
        "{others_cc:.0f} cc of other large pieces in the CT are left out, usually at most "
        "{limit_cc:.0f} cc.",
        "{others_cc:.0f} cc of other large pieces are left out",
        "{others_cc:.0f} cc",
        meaning="External is the largest connected piece of solid voxels. Other pieces are as "
        "thick as a limb.",
        check="Whether they belong to the patient, for example an arm, or a part of the body "
        "behind a gap in the CT.",
        others_cc=900.0,
        limit_cc=500.0,
    ),
    FlagCode.AIRWAY_LOST: of_organ(
        SUSPICIOUS,
        "The airway could not be followed: {reason}.",
        "the airway could not be followed",
        "",
        meaning="OARflow separates the trachea from the lungs: it follows the airway, slice by "
        "slice, from the larynx to its fork.",
        check="The lower end of the trachea; parts of the airway in a lung.",
        reason="it ends before the scan does, without a fork",
    ),
    FlagCode.LUNGS_TOUCH: of_organ(
        SUSPICIOUS,
        "Left and right lung touch; OARflow separated them at the midline.",
        "left and right lung touch",
        "",
        meaning="OARflow found no thin place between the lungs.",
        check="The border between both lungs, in front of the heart and behind it.",
    ),
    FlagCode.FREE_AIR: of_organ(
        SUSPICIOUS,
        "{share:.0%} of the lung is air without tissue, usually at most {limit_share:.0%}.",
        "{share:.0%} is air without tissue",
        "{share:.0%}",
        meaning="Voxels below -980 HU: a leak of the contour to the outside, a pneumothorax or "
        "emphysema.",
        check="The whole outline.",
        share=0.6,
        limit_share=0.3,
    ),
    FlagCode.FIELD_OF_VIEW: of_organ(
        ("truncated", "suspicious"),
        "CT ends within the organ ({sides}); only the visible part is contoured.",
        "cut by the field of view: {sides}",
        "{sides}",
        meaning="The field of view of the CT cuts the organ.",
        check="Volume, mean dose and DVH: they describe only the visible part of the organ.",
        sides=("inferior",),
    ),
}
