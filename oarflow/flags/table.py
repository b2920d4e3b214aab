"""The table of flags: one row for each code, in the order of the codes."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.flags.codes import FlagCode
from oarflow.flags.definition import Definition
from oarflow.flags.of_appearance import OF_APPEARANCE
from oarflow.flags.of_derived import OF_DERIVED
from oarflow.flags.of_extent import OF_EXTENT
from oarflow.flags.of_networks import OF_NETWORKS
from oarflow.flags.of_studies import OF_STUDIES
from oarflow.flags.uncontoured import UNCONTOURED

FLAGS: Mapping[FlagCode, Definition] = {
    code: {
        **OF_STUDIES,
        **OF_EXTENT,
        **OF_APPEARANCE,
        **OF_NETWORKS,
        **UNCONTOURED,
        **OF_DERIVED,
    }[code]
    for code in FlagCode
}
