"""The search region of each organ: from the localizer, or predicted from neighbouring organs.

The application, training and evaluation all call `find_organs`, so that a network is evaluated at
the place where the application runs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from oarflow.geometry import Grid
from oarflow.networks.store import ModelStore
from oarflow.priors import Priors, SearchRegion, load_priors
from oarflow.segmentation.localizer import localize
from oarflow.structures import Localization
from oarflow.types import triple
from oarflow.volume import Volume


def find_organs(
    volume: Volume, store: ModelStore, also: Iterable[str] = ()
) -> dict[str, Localization]:
    """A Localization for every organ that the localizer knows or that neighbours can place.

    also: organs to place in addition to those of the store's networks.
    Raises ConfigurationError NO_LOCALIZER where the store has none.
    """
    organs = dict.fromkeys((*store.localized_organs, *also))
    return with_predicted_regions(volume.grid, localize(volume, store), organs, load_priors())


def with_predicted_regions(
    grid: Grid, localizations: Mapping[str, Localization], organs: Iterable[str], priors: Priors
) -> dict[str, Localization]:
    """The localizations, with one added for each missing organ that neighbours can place.

    Neighbours are organs that are completely in the scan. An organ without measured offsets, or
    with a region outside the scan, gets no localization.
    """
    places = {
        organ: triple(grid.patient_to_axes(np.asarray(found.centroid_lps)))
        for organ, found in localizations.items()
        if found.present and found.centroid_lps is not None and not found.cut
    }
    complete = dict(localizations)
    for organ in organs:
        if organ in localizations:
            continue
        region = priors.search_region(organ, places)
        found = None if region is None else _localization(grid, organ, region)
        if found is not None:
            complete[organ] = found
    return complete


def _localization(grid: Grid, organ: str, region: SearchRegion) -> Localization | None:
    low, high = (
        np.add(region.centre_mm, np.multiply(sign, region.half_mm)) for sign in (-1.0, 1.0)
    )
    extents = [grid.axis_mm(axis) for axis in range(3)]
    if any(high[axis] < mm[0] or low[axis] > mm[-1] for axis, mm in enumerate(extents)):
        return None
    used = np.flatnonzero((extents[0] >= low[0]) & (extents[0] <= high[0]))
    if not len(used):
        return None
    x, y, z = triple(grid.axes_to_patient(np.asarray(region.centre_mm)))
    depth, height, width = (2 * half for half in region.half_mm)
    return Localization(
        organ,
        True,
        0.0,
        (x, y, z),
        (depth, height, width),
        (int(used[0]), int(used[-1])),
        by_neighbours=True,
    )
