"""Pictures of the sample: contours are drawn where they lie, in their own colours."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.references import write_references
from oarflow.evaluation.review.overlays import draw, load_scene, shown_slices
from tests.oarflow.evaluation.cases import made_up


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_ct(made_up(), folder / "ct", "FFP")
    write_references(made_up(), folder / "ct", folder / "reference.dcm")
    return folder


def test_the_pictures_hold_every_organs_colour(study: Path, tmp_path: Path) -> None:
    axial, planes = draw(study / "ct", study / "reference.dcm", tmp_path)
    picture = matplotlib.image.imread(axial)[..., :3]
    for region in load_scene(study / "ct", study / "reference.dcm").regions:
        near = np.abs(picture - np.array(region.colour, dtype=np.float32)).max(axis=2) < 0.02
        assert near.sum() > 20, region.roi.name
    assert matplotlib.image.imread(planes).std() > 0


def test_the_scene_has_the_masks_that_were_contoured(study: Path) -> None:
    scene = load_scene(study / "ct", study / "reference.dcm")
    masks = made_up().masks
    assert {region.roi.name for region in scene.regions} == set(masks)
    for region in scene.regions:
        assert np.array_equal(region.mask, masks[region.roi.name])


def test_slices_are_spread_over_the_organ() -> None:
    mask = np.zeros((30, 2, 2), dtype=bool)
    mask[10:21] = True
    assert shown_slices(mask) == (12, 15, 18)
    mask[:] = False
    mask[4] = True
    assert shown_slices(mask) == (4,)


def test_contours_of_another_ct_are_said(study: Path, tmp_path: Path) -> None:
    far = made_up("pt_9")
    far = type(far)(far.id, far.ct, far.spacing_zyx, origin_lps=(0.0, 0.0, 900.0))
    write_ct(far, tmp_path / "ct")
    with pytest.raises(ValueError, match="no contour on this CT"):
        draw(tmp_path / "ct", study / "reference.dcm", tmp_path / "out")
