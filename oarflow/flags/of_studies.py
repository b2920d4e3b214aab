"""Flags about the whole study. They concern all organs alike."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.flags.codes import FlagCode
from oarflow.flags.definition import Definition, of_study

OF_STUDIES: Mapping[FlagCode, Definition] = {
    FlagCode.PATIENT_UNDER_18: of_study(
        "Patient is {age_years} years old; the networks were trained on adults.",
        "patient is {age_years} years old, networks learned from adults",
        "{age_years} years",
        meaning="The networks have never seen a child. The age is Patient's Age in the header, or "
        "follows from the dates of birth and study, where these are credible.",
        check="Every contour, with any status.",
        age_years=12,
        limit_years=18,
    ),
    FlagCode.MOST_ORGANS_FLAGGED: of_study(
        "{flagged} of {contours} contours are flagged; the CT itself may be the cause.",
        "{flagged} of {contours} contours are flagged",
        "{flagged} of {contours}",
        meaning="At least three contours, and more than half of all, carry a flag of their own. "
        "The CT may be damaged, or unlike any that the networks learned from.",
        check="The CT first, then every contour, also those without a flag.",
        flagged=5,
        contours=7,
    ),
    FlagCode.IMAGE_METAL: of_study(
        "Metal around {organ} exceeds that in the training CTs ({share:.1%} of voxels, usually at "
        "most {limit_share:.1%}).",
        "more metal than in the training CTs (around {organ})",
        "{share:.1%}",
        meaning="Voxels above 2200 HU within 20 mm of an organ; averaged to the resolution of the "
        "training CTs.",
        check="The outlines near the metal and in its streaks.",
        organ="Bone_Mandible",
        organs=("Bone_Mandible", "Parotid_L"),
        share=0.032,
        limit_share=0.011,
    ),
    FlagCode.IMAGE_BRIGHT: of_study(
        "Contrast medium or bone around {organ} exceeds that in the training CTs ({share:.1%} of "
        "voxels, usually at most {limit_share:.1%}).",
        "more contrast medium or bone than in the training CTs (around {organ})",
        "{share:.1%}",
        meaning="Voxels of 130 to 2200 HU within 20 mm of an organ: contrast medium, bone, or "
        "streaks.",
        check="The outlines beside contrast-filled vessels and streaks.",
        organ="Larynx",
        organs=("Larynx",),
        share=0.32,
        limit_share=0.2,
    ),
    FlagCode.IMAGE_NOISE: of_study(
        "CT is noisier around {organ} than the training CTs ({noise_hu:.0f} HU, usually at most "
        "{limit_hu:.0f} HU).",
        "noisier than the training CTs (around {organ})",
        "{noise_hu:.0f} HU",
        meaning="Standard deviation of soft tissue within 20 mm of an organ, averaged to the "
        "resolution of the training CTs.",
        check="Borders between soft tissues; another reconstruction may be better.",
        organ="Esophagus",
        organs=("Esophagus", "SpinalCord"),
        noise_hu=45.0,
        limit_hu=20.0,
    ),
    FlagCode.MR_NOT_USED: of_study(
        "MR was not used: {reason}.",
        "MR was not used ({reason})",
        "",
        meaning="The study has an MR that a network could read, and none can be chosen or read. "
        "Organs with another network are contoured on the CT alone; the others fail.",
        check="Why the MR does not fit; the organs that it is for.",
        reason="2 MR series fit the rule",
        organs=("Glnd_Thyroid",),
    ),
    FlagCode.MR_NOT_REGISTERED: of_study(
        "MR was not used, since its registration to the CT failed: {reason}.",
        "MR was not used, its registration failed",
        "",
        meaning="The registration did not pass its check, so that the MR is not used. "
        "Organs with another network are contoured on the CT alone; the others fail.",
        check="Whether the MR shows the same region and position; the organs that it is for.",
        reason="only 41% of the MR's body lies within the CT",
        organs=("Glnd_Thyroid",),
        overlap_share=0.41,
        rotation_degrees=4.0,
        moved_mm=12.0,
        information_nats=0.31,
        body_dice=0.9,
    ),
}
