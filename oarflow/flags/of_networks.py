"""Flags of the network that contoured an organ, and of the second opinion of another network."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.flags.codes import FlagCode
from oarflow.flags.definition import Definition, of_organ
from oarflow.flags.of_extent import SUSPICIOUS

OF_NETWORKS: Mapping[FlagCode, Definition] = {
    FlagCode.ORIENTATION_UNPROVEN: of_organ(
        SUSPICIOUS,
        "Contoured by the imported network {network}, whose orientation {orientation} was not "
        "proved: left and right may be swapped.",
        "left and right not proved",
        "",
        meaning="The orientation of the training images was not checked: there was no CT on which "
        "both the network and OARflow contour the same organ.",
        check="Side and position of the contour on every slice. Import the network again with "
        "`--probe` and a CT that shows an organ that both contour.",
        network="imported/Dataset001",
        orientation="RAS",
    ),
    FlagCode.NOT_COMMISSIONED: of_organ(
        SUSPICIOUS,
        "Contoured by the network {network}, which is not commissioned at this site: {reason}.",
        "not commissioned at this site",
        "",
        meaning="OARflow does not ship the network, and the site's folder of commissioning records "
        "(setting `commissioned`) has no valid record in which this organ passed.",
        check="Every slice. Commission the network before use (`oarflow commission`).",
        network="clinic/Parotid_L",
        reason="it has no record",
    ),
    FlagCode.NETWORKS_DIFFER: of_organ(
        SUSPICIOUS,
        "The second network, {network}, contours it elsewhere: mean surface distance "
        "{distance_mm:.1f} mm, limit {limit_mm:.1f} mm.",
        "{distance_mm:.1f} mm from the second network's contour",
        "{distance_mm:.1f} mm",
        meaning="The setting `second_opinion` asks another network. The value is the mean distance "
        "of both surfaces. `limit_from` says whether the limit comes from `patients` or is a "
        "`guess`. `hd95_mm` is the 95 % Hausdorff distance.",
        check="The whole outline, and its ends. The second network can be the wrong one.",
        network="imported/Dataset001",
        distance_mm=4.2,
        limit_mm=2.5,
        limit_from="patients",
        hd95_mm=12.5,
    ),
    FlagCode.SECOND_FOUND_NOTHING: of_organ(
        SUSPICIOUS,
        "The second network, {network}, does not find this organ.",
        "not found by the second network",
        "",
        meaning="The setting `second_opinion` asks another network. One of both networks is wrong.",
        check="Whether the CT shows the organ, and the whole outline.",
        network="imported/Dataset001",
    ),
    FlagCode.SECOND_FAILED: of_organ(
        SUSPICIOUS,
        "Not compared with the second network, {network}: {reason}.",
        "not compared with the second network",
        "",
        meaning="The setting `second_opinion` asks another network, and that network gave no "
        "result. The check that the site wants is missing.",
        check="The reason in the message, and the whole outline.",
        network="imported/Dataset001",
        reason="network stopped with an error",
    ),
}
