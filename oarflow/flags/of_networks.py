"""Flags of the network that contoured an organ, whatever the contour looks like."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.flags.codes import FlagCode
from oarflow.flags.definition import Definition, of_organ
from oarflow.flags.of_extent import SUSPICIOUS

OF_NETWORKS: Mapping[FlagCode, Definition] = {
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
