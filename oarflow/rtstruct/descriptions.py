"""Texts of the structure set's and each region's description: origin, status and flags."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from oarflow.flags.flag import Flag
from oarflow.rtstruct.provenance import Origin, ascii_text
from oarflow.structures import NetworkOrigin, Segmentation

MAX_DESCRIPTION_LENGTH = 1024
"""Characters of Structure Set Description and ROI Description (VR ST)."""

MAX_SOURCE_LENGTH = 64
"""Characters of a network's origin and of its licence, which come from its card."""

DERIVED = "network trained on labels derived by rules, not drawn"


def structure_set_description(origins: Collection[Origin], warnings: Sequence[str]) -> str:
    """The contours' origin, and the flags of the whole study. ASCII."""
    kinds = " and ".join(origin.lower() for origin in Origin if origin in origins)
    text = f"{kinds} contours, not approved, for research use only".strip().capitalize()
    if warnings:
        text += f". Check the whole study: {' '.join(warnings)}"
    return ascii_text(text, MAX_DESCRIPTION_LENGTH)


def roi_description(
    segmentation: Segmentation, study_flags: Sequence[Flag], *, contoured: bool
) -> str:
    """Status, short flags of the study and the organ, recipe, and remarks on the network. ASCII.

    The remarks: derived labels; origin and licence of a network that OARflow does not ship.

    Flags of the study come first, so that the length limit never removes them.
    """
    status = segmentation.status.value
    if not contoured and segmentation.status.written:
        status = "not contoured"
    parts = [status, *(f"whole study: {flag.short}" for flag in study_flags)]
    parts += [flag.short for flag in segmentation.flags]
    if segmentation.model is not None and segmentation.model.derived_labels:
        parts.append(DERIVED)
    if segmentation.model is not None and segmentation.model.source is not None:
        parts += _origin(segmentation.model.source)
    if segmentation.recipe:
        parts.append(segmentation.recipe)
    return ascii_text("; ".join(parts), MAX_DESCRIPTION_LENGTH)


def _origin(source: NetworkOrigin) -> Iterator[str]:
    if source.shipped:
        return
    yield f"network: {source.origin[:MAX_SOURCE_LENGTH]}"
    yield f"licence: {source.licence[:MAX_SOURCE_LENGTH]}"
    if source.commercial == "no":
        yield "no commercial use"
