"""Flags of a contour's shape and tissue, and of its network's doubt."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.flags.codes import FlagCode
from oarflow.flags.definition import Definition, of_organ
from oarflow.flags.of_extent import SUSPICIOUS

OF_APPEARANCE: Mapping[FlagCode, Definition] = {
    FlagCode.ODD_SHAPE: of_organ(
        SUSPICIOUS,
        "Shape is unusually rough or elongated (sphericity {sphericity:.2f}, usually at least "
        "{limit:.2f}).",
        "unusually rough or elongated (sphericity {sphericity:.2f})",
        "{sphericity:.2f}",
        meaning="Sphericity is 1 for a ball, and less for longer, thinner or rougher shapes.",
        check="Islands, spikes and leaks.",
        sphericity=0.42,
        limit=0.55,
    ),
    FlagCode.MEAN_HU: of_organ(
        SUSPICIOUS,
        "Mean CT number inside the contour is {mean_hu:.0f} HU, usually {bound} {limit_hu:.0f} HU.",
        "mean {mean_hu:.0f} HU, usually {bound} {limit_hu:.0f} HU",
        "{mean_hu:.0f} HU",
        meaning="The mean CT number does not fit the tissue of this organ.",
        check="Bone, air or metal inside the contour.",
        mean_hu=400.0,
        bound="at most",
        limit_hu=80.0,
    ),
    FlagCode.HU_SPREAD: of_organ(
        SUSPICIOUS,
        "CT numbers inside the contour vary by {sd_hu:.0f} HU (standard deviation), usually at "
        "most {limit_hu:.0f} HU.",
        "CT numbers vary by {sd_hu:.0f} HU",
        "{sd_hu:.0f} HU",
        meaning="The contour contains several tissues.",
        check="Bone, air or metal inside the contour.",
        sd_hu=120.0,
        limit_hu=60.0,
    ),
    FlagCode.AIR_INSIDE: of_organ(
        SUSPICIOUS,
        "{air_share:.1%} of the contour is air, usually at most {limit_share:.1%}.",
        "{air_share:.1%} of it is air",
        "{air_share:.1%}",
        meaning="Air means voxels below -300 HU.",
        check="The outline near the airway and the skin.",
        air_share=0.032,
        limit_share=0.005,
    ),
    FlagCode.UNSTABLE: of_organ(
        SUSPICIOUS,
        "A second run on slightly shifted input changes the contour (Dice {dice:.2f}, usually "
        "above "
        "{limit_dice:.2f}).",
        "changes when its input is shifted (Dice {dice:.2f})",
        "Dice {dice:.2f}",
        meaning="The network contours the organ twice. The second time, its part of the CT is "
        "shifted by a few voxels. Both contours should be the same.",
        check="The whole outline.",
        dice=0.83,
        usual_dice=0.97,
        limit_dice=0.93,
    ),
    FlagCode.LOW_CONFIDENCE: of_organ(
        SUSPICIOUS,
        "Network is unsure of this organ (mean probability {probability:.2f}, usually above "
        "{limit_probability:.2f}).",
        "network is unsure (mean probability {probability:.2f})",
        "{probability:.2f}",
        meaning="The value is the mean of all probabilities above 0.3.",
        check="The whole outline.",
        probability=0.6,
        usual_probability=0.93,
        limit_probability=0.85,
    ),
    FlagCode.BLURRED_BORDER: of_organ(
        SUSPICIOUS,
        "Network is unsure where the border is: the uncertainty is {times_limit:.1f} times the "
        "usual maximum.",
        "network is unsure of the border",
        "{times_limit:.1f} times",
        meaning="The probabilities fall from 1 to 0 over an unusually wide strip. The number "
        "in the message is the ratio of the measured uncertainty to the usual maximum. The "
        "uncertainty is the entropy of the probabilities, integrated across the border (bit mm).",
        check="The whole outline.",
        entropy_bit_mm=3.2,
        usual_bit_mm=1.4,
        limit_bit_mm=2.1,
        times_limit=1.5,
    ),
}
