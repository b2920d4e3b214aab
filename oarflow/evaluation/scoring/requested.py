"""Which organs a run of the application was to contour. The others have no figures."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from oarflow.organs import Catalogue
from oarflow.result import ResultDocument
from oarflow.structures import Status

NOT_REQUESTED = "not asked"
"""An organ that the settings leave out."""


def not_requested(
    organ: str, result: ResultDocument, contoured: Collection[str], catalogue: Catalogue
) -> str | None:
    """Why a run was not to contour an organ: "not asked" or "no_model"; None where it was.

    contoured: organs that the models folder has networks of. A run that was refused or failed was
    asked for what its settings name, by default for all of these.
    """
    status = next((part.status for part in result.organs if part.name == organ), None)
    if status is not None:
        return status.value if status is Status.NO_MODEL else None
    wanted = result.settings.get("organs", "all")
    if wanted != "all":
        found = [catalogue.resolve(str(name)) for name in wanted]
        if organ not in {one.name for one in found if one is not None}:
            return NOT_REQUESTED
    return None if organ in contoured else Status.NO_MODEL.value


def requested(
    organs: Iterable[str],
    result: ResultDocument,
    contoured: Collection[str],
    catalogue: Catalogue,
) -> list[str]:
    """Those of the organs that the models folder has networks of and the run was to contour."""
    return [
        organ
        for organ in organs
        if organ in contoured and not_requested(organ, result, contoured, catalogue) is None
    ]
