"""A contour whose network learned from derived labels says so."""

from __future__ import annotations

from oarflow.rtstruct.descriptions import DERIVED, roi_description
from oarflow.structures import ModelIdentity, Segmentation, Status


def _said(derived: bool) -> str:
    model = ModelIdentity("oarflow/more_axial", "1.0.0", "0" * 64, derived)
    return roi_description(Segmentation("Brain", Status.SEGMENTED, model=model), (), contoured=True)


def test_the_description_names_derived_labels() -> None:
    assert _said(True) == f"segmented; {DERIVED}"
    assert _said(False) == "segmented"
