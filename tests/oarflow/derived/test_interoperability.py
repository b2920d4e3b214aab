"""A file with twenty derived structures: proven, and read by others."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from oarflow.derived.deriving import derived
from oarflow.derived.structures import DerivedStructure, derived_structures, structure_specs
from oarflow.organs import load_catalogue
from oarflow.rtstruct.catalogue import catalogue_specs
from oarflow.rtstruct.contours import DEFAULT_OPTIONS
from oarflow.rtstruct.lint import images_below, lint
from oarflow.rtstruct.profile import load_profile
from oarflow.rtstruct.provenance import Provenance
from oarflow.run.settings import checked_settings
from oarflow.structures import Segmentation, Status
from oarflow.writing.proven import WritePlan, Written, write_proved
from tests.oarflow.rtstruct.cases import WHEN, Case, ball, joined, make_case, segmentations_of
from tests.oarflow.rtstruct.test_peer_readers import (
    by_library,
    by_plastimatch,
    dice,
    needs_plastimatch,
)

ORGANS = {
    "Brain": ball((0.2, 0.3, 0.4), 48.0, soft_mm=6.0),
    "Brainstem": ball((2.3, 5.1, 1.2), 12.0, soft_mm=6.0),
    "SpinalCord": joined(*(ball((0.1, 25.2, z), 6.0, soft_mm=4.0) for z in range(-24, 25, 2))),
    "Parotid_L": ball((30.3, 0.4, 2.2), 11.0, soft_mm=6.0),
    "Parotid_R": ball((-30.2, 0.6, 1.7), 11.0, soft_mm=6.0),
}
"""The first holds the others."""

RECIPES: dict[str, dict[str, Any]] = {
    "SpinalCord_PRV03": {"grow": "SpinalCord", "mm": 3},
    "SpinalCord_PRV05": {"grow": "SpinalCord", "mm": 5},
    "Brainstem_PRV03": {"grow": "Brainstem", "mm": {"lateral": 3, "superior": 5, "inferior": 3}},
    "Brainstem_PRV05": {"grow": "Brainstem", "mm": {"left": 5, "right": 2, "anterior": 1}},
    "Parotid_PRV04_L": {"grow": "Parotid_L", "mm": 4, "within": "Brain"},
    "Parotids": {"union": ["Parotid_L", "Parotid_R"]},
    "Stem": {"union": ["Brainstem_PRV03", "SpinalCord_PRV03"]},
    "Both": {"intersect": ["Brainstem_PRV05", "SpinalCord_PRV05"]},
    "Body_crop": {"shrink": "Brain", "mm": 5, "type": "EXTERNAL"},
    "Parotid_core": {"shrink": "Parotid_L", "mm": {"lateral": 2, "anterior": 4}},
    "Rest": {"subtract": ["Brain", "Parotids", "Stem"]},
    "Rest_crop": {"subtract": ["Body_crop", "Parotids", "Stem"]},
    "Ring_Cord": {"ring": "SpinalCord", "from_mm": 5, "to_mm": 15, "within": "Brain"},
    "Ring_Parotids": {"ring": "Parotids", "to_mm": 4, "within": "Brain"},
    "Ring_Stem": {"ring": "Stem", "from_mm": 2, "to_mm": 5},
    "Wall_Brain": {"wall": "Brain", "mm": 4},
    "Wall_Parotid": {"wall": "Parotid_R", "mm": 3},
    "Cord_low": {"slices": "SpinalCord", "superior": {"of": "Brainstem", "end": "inferior"}},
    "Cord_part": {"slices": "SpinalCord", "superior": {"mm": -8}, "inferior": {"mm": 10}},
    "Ring_part": {"slices": "Ring_Cord", "inferior": {"of": "Brainstem", "mm": 5}},
}


def structures_of() -> tuple[DerivedStructure, ...]:
    entries = [{name: recipe} for name, recipe in RECIPES.items()]
    settings = checked_settings({"structures": entries}, "test")
    return derived_structures(settings.structures, load_catalogue(), None)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A CT with five organs."""
    return make_case(
        tmp_path_factory.mktemp("derived"),
        ORGANS,
        rows=128,
        columns=140,
        spacing_yx=(1.0, 1.0),
        slices=52,
        step_mm=2.0,
    )


@pytest.fixture(scope="module")
def written(case: Case) -> tuple[Written, Path]:
    """The organs and twenty structures in one file, after the self-check."""
    structures, specs, grid = structures_of(), catalogue_specs(load_catalogue()), case.volume.grid
    specs |= structure_specs(structures, specs)
    organs = segmentations_of(case.fields)
    made = derived(grid, organs, structures, specs, DEFAULT_OPTIONS)
    folder = case.path.parent / "out"
    folder.mkdir()
    plan = WritePlan(folder, specs, Provenance("0" * 64, "cpu"), WHEN)
    done = write_proved(case.volume, case.files, [*organs, *made], plan)
    path = done.files[0].path.rename(folder / "rtstruct.dcm")
    return done, path


def fields(done: Written) -> dict[str, Segmentation]:
    return {item.organ: item for item in done.segmentations}


def test_the_self_check_proves_every_structure(written: tuple[Written, Path]) -> None:
    done, path = written
    assert len(RECIPES) == 20
    assert {item.status for item in done.segmentations} == {Status.SEGMENTED}
    dataset = pydicom.dcmread(path)
    names = [item.ROIName for item in dataset.StructureSetROISequence]
    assert names[-20:] == list(RECIPES)
    assert {item.ROIGenerationAlgorithm for item in dataset.StructureSetROISequence} == {
        "AUTOMATIC"
    }
    described = {item.ROIName: item.ROIDescription for item in dataset.StructureSetROISequence}
    assert described["Ring_Cord"] == (
        "segmented; ring from 5 to 15 mm around SpinalCord, within Brain"
    )
    kinds = [item.RTROIInterpretedType for item in dataset.RTROIObservationsSequence]
    by_name = dict(zip(names, kinds, strict=True))
    assert by_name["SpinalCord_PRV05"] == "AVOIDANCE"
    assert by_name["Ring_Cord"] == "CONTROL"
    assert by_name["Body_crop"] == "EXTERNAL"
    assert by_name["Parotids"] == "ORGAN"


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_dciodvfy_finds_no_error(written: tuple[Written, Path]) -> None:
    run = subprocess.run(
        ["dciodvfy", "-new", written[1]], capture_output=True, text=True, check=False
    )
    assert "RTStructureSet" in run.stderr
    assert [line for line in run.stderr.splitlines() if line.startswith("Error")] == []


@pytest.mark.parametrize("profile", ["generic", "eclipse", "raystation", "monaco", "pinnacle"])
def test_the_linter_finds_nothing(profile: str, case: Case, written: tuple[Written, Path]) -> None:
    headers = images_below(case.path.parent / "ct")
    found = lint(written[1], ct=headers, profile=load_profile(profile))
    assert {finding.rule for finding in found} <= {"KEYHOLES"}


@needs_plastimatch
def test_plastimatch_agrees(case: Case, written: tuple[Written, Path], tmp_path: Path) -> None:
    masks = by_plastimatch(written[1], case.path.parent / "ct", tmp_path / "masks")
    compare(case, written[0], {name.lower(): mask for name, mask in masks.items()})


def test_dcmrtstruct2nii_agrees(case: Case, written: tuple[Written, Path], tmp_path: Path) -> None:
    masks = by_library("dcmrtstruct2nii", replace(case, path=moved(case, written[1])), tmp_path)
    compare(case, written[0], masks)


@pytest.mark.parametrize("library", ["rt-utils", "dicomrttool"])
def test_painters_find_every_structure_on_every_slice(
    library: str, case: Case, written: tuple[Written, Path], tmp_path: Path
) -> None:
    masks = by_library(library, replace(case, path=moved(case, written[1])), tmp_path)
    for name, item in fields(written[0]).items():
        assert item.field is not None
        truth = item.field.full_mask(case.volume.grid.shape).any(axis=(1, 2))
        assert np.array_equal(masks[name.lower()].any(axis=(1, 2)), truth), name


def moved(case: Case, path: Path) -> Path:
    """The file beside the folder of the CT, where readers look for it."""
    return Path(shutil.copy(path, case.path.parent / "derived.dcm"))


def compare(case: Case, done: Written, masks: dict[str, np.ndarray]) -> None:
    for name, item in fields(done).items():
        assert item.field is not None
        truth = item.field.full_mask(case.volume.grid.shape)
        assert dice(truth, masks[name.lower()]) > 0.98, name
