"""The orientation of an imported network is proved on a CT with known organs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from oarflow.commands import main
from oarflow.flags.codes import FlagCode
from oarflow.importing import orientation
from oarflow.importing.errors import NotImportedError
from oarflow.importing.orientation import Agreement, measured, of_one_side, proved, with_proof
from oarflow.importing.own_organs import OwnOrgans
from oarflow.networks.cards import read_any_card
from oarflow.networks.imported.card import ImportedCard, OrganLabels
from oarflow.networks.imported.directions import flips
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.segmentation.imported import ImportedOrgans
from oarflow.segmentation.segmenter import side_notes, with_measurements, with_orientation_doubt
from oarflow.structures import ProbabilityField, Segmentation, Status
from oarflow.volume import Volume
from tests.oarflow.chain import sphere_volume
from tests.oarflow.segmentation.imported_networks import write_imported

ROOT = Path(__file__).resolve().parents[3]
LPS = tuple(flips("LPS"))


class Sides(torch.nn.Module):
    """Everything above 50 HU; label 1 in the second half of the columns, label 2 in the first."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hu = image[:, 0]
        column = torch.cumsum(torch.ones_like(hu), dim=-1) - hu.shape[-1] / 2
        bright = (hu - 50).clamp(-50, 50)
        return torch.stack([-bright, bright + column.sign() * 20, bright - column.sign() * 20], 1)


class Bright(torch.nn.Module):
    """Label 1: everything above 50 HU, wherever it lies."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hu = image[:, 0]
        return torch.stack([50 - hu, hu - 50, hu * 0 - 1000], dim=1)


@pytest.fixture
def own() -> OwnOrgans:
    """Two bright spheres of one size, left and right, and their voxels by arithmetic."""
    centre = {"Parotid_L": (40.0, 0.0, 0.0)}
    left, right = sphere_volume(centre), sphere_volume({"Parotid_L": (-41.0, 0.0, 0.0)})
    hu = left.hu + right.hu
    hu[hu == 0] = 1.0
    fields = {
        "Parotid_L": ProbabilityField.of_mask(left.hu > 50),
        "Parotid_R": ProbabilityField.of_mask(right.hu > 50),
        "Brainstem": ProbabilityField.of_mask(hu > 50),
    }
    return OwnOrgans("spheres", Volume(hu, left.grid, left.source), {}, fields)


def written(folder: Path, network: torch.nn.Module, **fields: object) -> ImportedCard:
    """One tile holds the whole CT, so that the network knows its half."""
    return write_imported(
        folder, network, patch=(60, 128, 160), spacing_mm=(2.0, 1.0, 1.0), **fields
    )


def of(*organs: str, labels: tuple[int, ...] = (1,), side: str | None = None) -> object:
    return tuple(OrganLabels(organ=o, labels=labels, side=side) for o in organs)  # type: ignore[arg-type]


def test_a_paired_organ_proves_left_and_right(own: OwnOrgans, tmp_path: Path) -> None:
    card = written(tmp_path / "n", Sides())
    found = measured(tmp_path / "n" / "model.ts", card, own)
    for flip, row in found.dice.items():
        expected = 1.0 if flip[0] == "L" else 0.0
        assert row["Parotid_L"] == pytest.approx(expected, abs=0.03)
        assert row["Parotid_R"] == pytest.approx(expected, abs=0.03)
    assert found.agreeing == ("LPS", "LAS", "LPI", "LAI")
    assert found.sides_decided


def test_a_flipped_statement_is_refused(own: OwnOrgans, tmp_path: Path) -> None:
    card = written(tmp_path / "n", Sides(), orientation="RPS")
    found = measured(tmp_path / "n" / "model.ts", card, own)
    with pytest.raises(NotImportedError, match=r"--orientation RPS contradicts.* LPS"):
        proved(card, found, own.ct)


def test_labels_without_sides_leave_them_undecided(own: OwnOrgans, tmp_path: Path) -> None:
    card = written(tmp_path / "n", Bright(), contours=of("Brainstem"))
    found = proved(card, measured(tmp_path / "n" / "model.ts", card, own), own.ct)
    assert found.orientation_proof == "sides undecided"
    assert found.orientation_evidence is not None
    assert set(found.orientation_evidence.agreeing) == set(LPS)
    assert min(row["Brainstem"] for row in found.orientation_evidence.dice.values()) > 0.97


def test_a_label_of_both_sides_that_is_divided_has_no_side(own: OwnOrgans, tmp_path: Path) -> None:
    contours = (*of("Parotid_L", side="left"), *of("Parotid_R", side="right"))  # type: ignore[misc]
    card = written(tmp_path / "n", Bright(), contours=contours)
    assert not any(map(of_one_side, card.contours))
    found = proved(card, measured(tmp_path / "n" / "model.ts", card, own), own.ct)
    assert found.orientation_proof == "sides undecided"
    assert "middle" in side_notes(card, "Parotid_L")[0]


def agreement(*, sided: bool = True, **rows: dict[str, float]) -> Agreement:
    """Dice by hand: an orientation without a row has nothing."""
    organs = next(iter(rows.values()))
    dice = {flip: rows.get(flip, dict.fromkeys(organs, 0.0)) for flip in LPS}
    return Agreement(dice, frozenset({"Parotid_L"} if sided else ()))


TRAINED = {"Brainstem": 0.75, "Parotid_L": 0.77}


def test_a_recipes_sides_may_stay_unproven_but_not_be_contradicted(
    own: OwnOrgans, tmp_path: Path
) -> None:
    card = write_imported(tmp_path / "n")
    undecided = agreement(LPS={"Brainstem": 0.75}, RPS={"Brainstem": 0.74})
    found = proved(card, undecided, own.ct, known_recipe=True)
    assert found.orientation_proof == "unproven"
    assert found.orientation_evidence is not None
    swapped = agreement(LPS={"Brainstem": 0.75, "Parotid_L": 0.0}, RPS=TRAINED)
    with pytest.raises(NotImportedError, match="contradicts"):
        proved(card, swapped, own.ct, known_recipe=True)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (agreement(LPS={"Brainstem": 0.4, "Parotid_L": 0.3}), "no orientation agrees"),
        (agreement(RPS=TRAINED, LPS={"Brainstem": 0.75, "Parotid_L": 0.0}), "contradicts"),
        (agreement(LPS={"Brainstem": 0.75}, RPS={"Brainstem": 0.74}), "not proved"),
        (agreement(LPS={"Brainstem": 0.75}, RPS={"Brainstem": 0.55}), "not proved"),
        (agreement(LPS={"Brainstem": 0.75, "Parotid_L": 0.3}), "not proved"),
        (agreement(LPS=TRAINED, LPI=TRAINED), "several orientations agree"),
        (agreement(LPS={"Brainstem": 0.95, "Parotid_L": 0.0}, RPS=TRAINED), "no orientation"),
    ],
)
def test_what_proves_nothing_is_refused(
    found: Agreement, said: str, own: OwnOrgans, tmp_path: Path
) -> None:
    card = write_imported(tmp_path / "n")
    with pytest.raises(NotImportedError, match=said):
        proved(card, found, own.ct)


def test_the_figures_of_a_trained_network_prove_it(own: OwnOrgans, tmp_path: Path) -> None:
    """The figures that a network of 54 epochs has on one of its validation patients."""
    rows = {
        "LPS": {"Brainstem": 0.749, "SpinalCord": 0.788, "Parotid_L": 0.817},
        "RPS": {"Brainstem": 0.746, "SpinalCord": 0.733, "Parotid_L": 0.0},
        "LPI": {"Brainstem": 0.255, "SpinalCord": 0.554, "Parotid_L": 0.0},
    }
    card = proved(write_imported(tmp_path / "n"), agreement(**rows, sided=True), own.ct)
    assert card.orientation_proof == "proven"
    midline = {flip: {"Brainstem": row["Brainstem"]} for flip, row in rows.items()}
    card = proved(write_imported(tmp_path / "m"), agreement(sided=False, **midline), own.ct)
    assert card.orientation_proof == "sides undecided"


def test_evidence_is_no_part_of_what_was_commissioned(own: OwnOrgans, tmp_path: Path) -> None:
    card = proved(write_imported(tmp_path / "n"), agreement(LPS=TRAINED), own.ct)
    assert card.model_copy(update={"orientation_evidence": None}).digest == card.digest
    assert card.model_copy(update={"orientation_proof": "unproven"}).digest != card.digest


def test_no_organ_in_common(
    own: OwnOrgans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = OwnOrgans(own.ct, own.volume, {}, {})
    monkeypatch.setattr(orientation, "own_organs", lambda folder, wanted: nothing)
    card = write_imported(tmp_path / "n", orientation_proof="unproven")
    content = (tmp_path / "n" / "model.ts").read_bytes()
    with pytest.raises(NotImportedError, match=r"none of Parotid_L, Parotid_R .* --probe"):
        with_proof(card, content, None)
    assert with_proof(card, content, None, known_recipe=True).orientation_proof == "unproven"


def test_an_unproven_network_is_flagged_in_every_run(own: OwnOrgans, tmp_path: Path) -> None:
    card = written(tmp_path / "n", Sides(), orientation_proof="unproven")
    network = ImportedNetwork(tmp_path / "n" / "model.ts", card, "cpu")
    field = ImportedOrgans(own.volume, network, {}).field("Parotid_L")
    plain = with_measurements(Segmentation("Parotid_L", Status.FAILED), field, own.volume.grid)
    found = with_orientation_doubt(plain, card)
    assert found.status is Status.SUSPICIOUS
    assert [flag.code for flag in found.flags][-1] is FlagCode.ORIENTATION_UNPROVEN
    proven = card.model_copy(update={"orientation_proof": "proven"})
    assert with_orientation_doubt(plain, proven) is plain


def test_a_trained_network_by_one_command(shared_data: Path, tmp_path: Path) -> None:
    """It was trained on arrays that grow to the left, back and head; a flipped copy is refused."""
    trained = next((shared_data / "nnunet" / "trained").glob("Dataset901*/nnUNet*"))
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models", models)
    parotids = tmp_path / "map.yaml"
    parotids.write_text("labels: {3: Parotid_R, 4: Parotid_L}\n")
    words = ["models", "import", "nnunet", str(trained), "-m", str(models)]
    words += ["--organs", str(parotids)]
    assert main([*words, "--orientation", "LPS", "--name", "trained"]) == 0
    card = read_any_card(models / "trained" / "model.json")
    assert isinstance(card, ImportedCard)
    assert card.orientation_proof == "proven"
    assert card.orientation_evidence is not None
    dice = card.orientation_evidence.dice
    assert min(dice["LPS"].values()) > 0.7
    sided = frozenset({"Parotid_L", "Parotid_R"})
    assert max(dice["RPS"][organ] for organ in sided) < 0.1
    flipped = Agreement({flip: dice[flip] for flip in flips("RPS")}, sided)
    with pytest.raises(NotImportedError, match="--orientation RPS contradicts"):
        proved(card.model_copy(update={"orientation": "RPS"}), flipped, "the sample")
