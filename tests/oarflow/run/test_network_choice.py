"""The settings `prefer` and `second_opinion`, from the settings to the written files."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from pydicom import dcmread

import oarflow
from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.networks.imported.card import OrganLabels
from tests.app.workbench import RADIUS_MM
from tests.oarflow.segmentation.imported_networks import LEFT, Levels, write_imported

SIDES = (
    OrganLabels(organ="Parotid_L", labels=(LEFT,), side="left"),
    OrganLabels(organ="Parotid_R", labels=(LEFT,), side="right"),
)
"""Both balls of the phantom have the same HU."""

VOXEL_MM = 2.0


class Shifted(torch.nn.Module):
    """The labels of `Levels`, some voxels of 2 mm further along x."""

    def __init__(self, voxels: int) -> None:
        super().__init__()
        self.levels = Levels()
        self.voxels = voxels

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        moved = torch.nn.functional.pad(image, (self.voxels, 0))[..., : image.shape[-1]]
        return torch.as_tensor(self.levels(moved))


class Blind(torch.nn.Module):
    """Background everywhere."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.stack([image[:, 0] * 0 + level for level in (9.0, -9.0, -9.0)], dim=1)


@pytest.fixture
def both(models: Path, tmp_path: Path) -> Path:
    """The phantom's networks, and imported networks of the same organs."""
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    write_imported(folder / "same", contours=SIDES)
    write_imported(folder / "shifted", Shifted(4), contours=SIDES)
    write_imported(folder / "blind", Blind(), contours=SIDES)
    return folder


def contoured(ct: Path, models: Path, **settings: object) -> oarflow.Result:
    return oarflow.contour(ct, models=models, settings=settings)


def makers(found: oarflow.Result) -> dict[str, str]:
    return {part.name: part.model.name for part in found.document.organs if part.model}


def test_without_a_setting_the_own_network_contours_and_no_other_runs(ct: Path, both: Path) -> None:
    found = contoured(ct, both)
    assert makers(found) == {organ: f"test/{organ}" for organ in ("Parotid_L", "Parotid_R")}
    assert not any("imported" in network.name for network in found.document.run.networks)
    assert all(part.second_opinions == () for part in found.document.organs)
    assert "prefer" not in found.document.settings


def test_a_preferred_network_contours(ct: Path, both: Path) -> None:
    found = contoured(ct, both, prefer={"left parotid": "same"})
    assert makers(found) == {"Parotid_L": "imported/same", "Parotid_R": "test/Parotid_R"}


def test_networks_that_agree_raise_no_flag(ct: Path, both: Path) -> None:
    found = contoured(ct, both, second_opinion={"Parotid_L": "same"})
    left, right = found.document.organs
    (opinion,) = left.second_opinions
    assert opinion.network.name == "imported/same"
    assert opinion.verdict.value == "agrees"
    assert opinion.mean_mm is not None
    assert opinion.mean_mm < 1.0
    assert not {flag.code for flag in left.flags} - {"NOT_COMMISSIONED"}
    assert right.second_opinions == ()


def test_a_shifted_contour_is_flagged_and_not_written(ct: Path, both: Path, tmp_path: Path) -> None:
    """A ball that is shifted by 8 mm: the mean distance over the sphere, by quadrature."""
    cosine = np.linspace(-1, 1, 100_001)
    away, radius = 4 * VOXEL_MM, RADIUS_MM
    formula = np.abs(np.sqrt(radius**2 + away**2 - 2 * radius * away * cosine) - radius).mean()
    found = contoured(ct, both, second_opinion={"Parotid_L": ["same", "shifted"]})
    left = found.document.organs[0]
    assert [one.verdict.value for one in left.second_opinions] == ["agrees", "differs"]
    assert left.second_opinions[1].mean_mm == pytest.approx(formula, abs=0.6)
    (flag,) = (flag for flag in left.flags if flag.code == "NETWORKS_DIFFER")
    assert flag.values["network"] == "imported/shifted"
    assert left.status.value == "suspicious"
    plain = contoured(ct, both)
    for name in ("with", "without"):
        (found if name == "with" else plain).save(tmp_path / name)
    written, before = (
        dcmread(next((tmp_path / name).glob("*.dcm"))) for name in ("with", "without")
    )
    assert [roi.ROIName for roi in written.StructureSetROISequence] == ["Parotid_L", "Parotid_R"]
    first, second = (
        [contour.ContourData for contour in data.ROIContourSequence[0].ContourSequence]
        for data in (written, before)
    )
    assert first == second


def test_a_network_that_finds_nothing_is_said_and_held(ct: Path, both: Path) -> None:
    found = contoured(ct, both, second_opinion={"Parotid_R": "blind"}, strict=True)
    right = found.document.organs[1]
    assert "SECOND_FOUND_NOTHING" in {flag.code for flag in right.flags}
    assert found.exit_status is ExitStatus.HELD


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({"prefer": {"Parotd_L": "same"}}, "ORGAN_UNKNOWN", "did you mean"),
        ({"prefer": {"Parotid_L": "nobody"}}, "NETWORK_CHOICE", "nobody"),
        ({"prefer": {"Brain": "same"}}, "NETWORK_CHOICE", "Brain"),
        ({"second_opinion": {"Parotd_L": "same"}}, "ORGAN_UNKNOWN", "did you mean"),
        ({"second_opinion": {"Parotid_L": ["same", "nobody"]}}, "NETWORK_CHOICE", "nobody"),
        ({"second_opinion": {"Parotid_L": "Parotid_L"}}, "NETWORK_CHOICE", "itself"),
        (
            {"prefer": {"Parotid_L": "same"}, "second_opinion": {"Parotid_L": "same"}},
            "NETWORK_CHOICE",
            "itself",
        ),
        (
            {"prefer": {"Parotid_L": "same", "left parotid": "blind"}},
            "SETTINGS",
            "Parotid_L twice",
        ),
    ],
)
def test_a_wrong_name_ends_the_run_before_it_begins(
    settings: Mapping[str, object], code: str, said: str, both: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=said) as error:
        contoured(tmp_path / "no such ct", both, **settings)
    assert error.value.code == code


def test_a_template_chooses_networks_of_its_own(ct: Path, both: Path, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "other.yaml").write_text("prefer: {Parotid_L: same}\n")
    found = contoured(ct, both, templates=str(folder))
    assert makers(found)["Parotid_L"] == "imported/same"
    (folder / "other.yaml").write_text("prefer: {Parotid_L: nobody}\n")
    with pytest.raises(ConfigurationError, match="template other: Parotid_L: no network 'nobody'"):
        contoured(ct, both, templates=str(folder))
