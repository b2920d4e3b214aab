"""Flags of the network that contoured an organ, whatever the contour looks like."""

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
}
