"""Flags of a whole study: said once, and no reason to doubt one organ more than another."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.flags.codes import FlagCode
from oarflow.flags.definition import Definition, of_study

OF_STUDIES: Mapping[FlagCode, Definition] = {
    FlagCode.PATIENT_UNDER_18: of_study(
        "Patient is {age_years} years old; the networks were trained on adults.",
        "patient is {age_years} years old, networks learned from adults",
        "{age_years} years",
        meaning="The networks did not learn from children. The age comes from Patient's Age. "
        "Without that, it is calculated from the dates of birth and study, if these are "
        "plausible.",
        check="Every contour, whatever its status.",
        age_years=12,
        limit_years=18,
    ),
    FlagCode.MOST_ORGANS_FLAGGED: of_study(
        "{flagged} of {contours} contours are flagged; the CT itself may be the cause.",
        "{flagged} of {contours} contours are flagged",
        "{flagged} of {contours}",
        meaning="At least three contours, and more than half of all contours, have an unusual "
        "measurement. FIELD_OF_VIEW does not count. The CT may be damaged, or may differ from the "
        "training CTs.",
        check="First the CT, then every contour, also those without a flag.",
        flagged=5,
        contours=7,
    ),
    FlagCode.IMAGE_METAL: of_study(
        "More metal near {organ} than in the training CTs: {share:.1%} of voxels within 20 mm, "
        "usually at most {limit_share:.1%}.",
        "more metal than in the training CTs (around {organ})",
        "{share:.1%}",
        meaning="The value is the share of voxels above 2200 HU, measured at the voxel size of "
        "the training CTs. The message names the organ whose value is furthest above its limit.",
        check="The outlines near the metal and in its streaks.",
        organ="Bone_Mandible",
        organs=("Bone_Mandible", "Parotid_L"),
        share=0.032,
        limit_share=0.011,
    ),
    FlagCode.IMAGE_BRIGHT: of_study(
        "More bright voxels (130 to 2200 HU) near {organ} than in the training CTs: {share:.1%} "
        "within 20 mm, usually at most {limit_share:.1%}.",
        "more contrast medium, bone or streaks than in the training CTs (near {organ})",
        "{share:.1%}",
        meaning="Bright voxels are contrast medium, bone or streaks. The message names the organ "
        "whose value is furthest above its limit.",
        check="The outlines beside streaks and beside vessels with contrast medium.",
        organ="Larynx",
        organs=("Larynx",),
        share=0.32,
        limit_share=0.2,
    ),
    FlagCode.IMAGE_NOISE: of_study(
        "CT is noisier near {organ} than the training CTs (SD {noise_hu:.0f} HU, usually at most "
        "{limit_hu:.0f} HU).",
        "noisier than the training CTs (around {organ})",
        "{noise_hu:.0f} HU",
        meaning="The value is the standard deviation of soft tissue within 20 mm of the organ, "
        "measured at the voxel size of the training CTs.",
        check="The borders between soft tissues. Another reconstruction of the CT may be better.",
        organ="Esophagus",
        organs=("Esophagus", "SpinalCord"),
        noise_hu=45.0,
        limit_hu=20.0,
    ),
    FlagCode.MR_NOT_USED: of_study(
        "MR was not used: {reason}.",
        "MR was not used ({reason})",
        "",
        meaning="The study holds MR, but no single series could be chosen or read. Organs with a "
        "network for the CT alone are contoured with that network. The other organs are "
        "not contoured.",
        check="The reason in the message, and the organs that use the MR.",
        reason="2 series match the MR selection rule, so none could be chosen",
        organs=("Glnd_Thyroid",),
    ),
    FlagCode.MR_NOT_REGISTERED: of_study(
        "MR was not used, its registration to the CT failed: {reason}.",
        "MR was not used, its registration failed",
        "",
        meaning="The registration of the MR to the CT failed its check, so the MR is ignored. "
        "Organs with a network for the CT alone are contoured with that network. The "
        "other organs are not contoured.",
        check="Whether the MR shows the same region and position. The organs that use the MR.",
        reason="only 41% of the patient on the MR lies within the CT, required 60%",
        organs=("Glnd_Thyroid",),
        overlap_share=0.41,
        rotation_degrees=4.0,
        moved_mm=12.0,
        information_nats=0.31,
        body_dice=0.9,
    ),
}
