"""The regions of a run: requested organs and derived structures, under the site's names."""

from __future__ import annotations

from collections.abc import Sequence

from oarflow.derived.structures import DerivedStructure, derived_structures, structure_specs
from oarflow.organs import Catalogue
from oarflow.rtstruct.catalogue import catalogue_specs
from oarflow.rtstruct.profile import SiteNames, load_profile, site_specs
from oarflow.rtstruct.specs import RoiSpec
from oarflow.run.settings import Settings


def requested_structures(
    settings: Settings, organs: Sequence[str], catalogue: Catalogue
) -> tuple[DerivedStructure, ...]:
    """The derived structures, parents before children.

    organs: catalogue names of the requested organs. A parent must be one of them if the settings
    list organs. Raises ConfigurationError (STRUCTURES).
    """
    listed = None if settings.organs == "all" else organs
    return derived_structures(settings.structures, catalogue, listed)


def roi_specs(
    settings: Settings,
    organs: Sequence[str],
    structures: Sequence[DerivedStructure],
    catalogue: Catalogue,
) -> dict[str, RoiSpec]:
    """Specs of organs, in catalogue order, then of structures, checked against the profile.

    Raises ConfigurationError (PROFILE_UNKNOWN, ROI_NAMES).
    """
    known = catalogue_specs(catalogue)
    site = SiteNames(settings.rois.prefix, settings.rois.names, settings.rois.colours)
    return site_specs(
        {**known, **structure_specs(structures, known)},
        load_profile(settings.profile),
        site,
        [*organs, *(structure.name for structure in structures)],
    )
