"""Training and evaluation run each network where the application runs it.

The localizer knows one parotid alone; the other is placed by its neighbour.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from app.application import OARflow
from oarflow.commands import main
from oarflow.compare.overlap import dice
from oarflow.datasets.cases import Case
from oarflow.errors import Fault
from oarflow.evaluation.limits.predictions import Predictions
from oarflow.intake import FileAccount, Intake
from oarflow.networks.card import Channel, Role
from oarflow.networks.store import ModelStore
from oarflow.organs import load_catalogue
from oarflow.pipeline import Study, Task
from oarflow.plausibility.anatomy import require_head_and_neck
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.specs import RoiSpec
from oarflow.run.progress import Silent
from oarflow.segmentation.search import find_organs
from oarflow.structures import Segmentation
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.data_set import TrainingData
from oarflow.training.data.labels import Labels
from oarflow.training.data.proposals import propose
from oarflow.training.papers.method_scores import DICE
from oarflow.training.papers.twostep import MANDIBLE, step_scores
from oarflow.training.tuning.scores import score_case
from oarflow.training.tuning.two_networks import two_network_dice
from oarflow.writing.proven import WritePlan
from tests.oarflow.chain import ORGAN_HU, save_model, sphere_volume
from tests.oarflow.datasets.made_up import write_pddca
from tests.oarflow.segmentation.test_search import LEFT, PRIORS, RIGHT
from tests.oarflow.systems import WINDOW, Near, write_model

ROOT = Path(__file__).resolve().parents[4]
PLACED = "Parotid_L"
SEEN = "Parotid_R"


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oarflow.segmentation.search.load_priors", lambda: PRIORS)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("places")
    save_model(folder / "loc", Role.LOCALIZER, (SEEN,), (5.0, 5.0, 5.0), (0.0, 0.0, 0.0))
    for organ in ORGAN_HU:
        save_model(folder / organ, Role.SEGMENTER, (organ,), (0.0, 2.0, 2.0), (0.0, 32.0, 32.0))
    return folder


@pytest.fixture
def store(models: Path) -> ModelStore:
    return ModelStore.open(models, device="cpu")


def case(*organs: str) -> TrainingCase:
    """A patient with two balls; the labels are the balls by their formula."""
    hu = sphere_volume({PLACED: LEFT, SEEN: RIGHT}).hu
    labels = {organ: hu == ORGAN_HU[organ] for organ in organs}
    return TrainingCase("pt_1", hu.astype(np.int16), np.array([2.0, 1.0, 1.0]), Labels(labels))


def as_the_application_has_it(store: ModelStore, folder: Path) -> Segmentation:
    """The placed organ's result from the application's own graph."""
    specs = {organ: RoiSpec(organ, organ, (255, 0, 0)) for organ in ORGAN_HU}
    when = datetime(2026, 1, 2, tzinfo=UTC)
    plan = WritePlan(folder, specs, Provenance("0" * 64, "cpu"), when)
    volume = sphere_volume({PLACED: LEFT, SEEN: RIGHT})
    task = Task(
        read=lambda progress: Intake(volume, FileAccount()),
        store=store,
        organs=tuple(ORGAN_HU),
        organ_seconds=None,
        shifts=False,
        precedence=(),
        catalogue=load_catalogue(),
        plan=plan,
    )
    delivered: list[Study] = []
    OARflow(Study(), task, Silent(), delivered.append).run()
    (study,) = delivered
    assert isinstance(study.error, Fault)  # the CT has no files for the self-check
    (placed,) = (found for found in study.segmentations if found.organ == PLACED)
    return placed


def filled(result: Segmentation) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    assert result.field is not None
    return result.field.full_mask(case().ct.shape)


def test_training_contours_a_placed_organ_as_the_application_does(
    store: ModelStore, tmp_path: Path
) -> None:
    served = filled(as_the_application_has_it(store, tmp_path))
    truth = case(PLACED).masks[PLACED]
    assert dice(truth, served) > 0.9
    (one,) = score_case(case(PLACED), store, None)
    assert one.score.dsc == dice(truth, served)
    assert not one.reason
    assert np.array_equal(propose(case(SEEN), store, (PLACED,))[PLACED], served)


def test_evaluation_contours_a_placed_organ_as_the_application_does(
    models: Path, store: ModelStore, tmp_path: Path
) -> None:
    served = filled(as_the_application_has_it(store, tmp_path))
    volume = sphere_volume({PLACED: LEFT, SEEN: RIGHT})
    patient = Case("pt_1", volume.hu.astype(np.int16), volume.grid.spacing_zyx)
    found = Predictions(models, tmp_path / "cache").of(patient)
    (placed,) = (item for item in found.segmentations if item.organ == PLACED)
    assert np.array_equal(filled(placed), served)


def test_two_networks_are_compared_at_the_placed_organ(store: ModelStore, tmp_path: Path) -> None:
    """Also where only the second folder's network looks for it by its neighbours."""
    found = dict(two_network_dice(case(PLACED), store, store))
    assert found[PLACED].first == found[PLACED].second > 0.9
    other = tmp_path / "other"
    save_model(other / "loc", Role.LOCALIZER, (SEEN,), (5.0, 5.0, 5.0), (0.0, 0.0, 0.0))
    whole = (Channel(window=WINDOW),)
    write_model(other / PLACED, Near((100.0,)), organs=(PLACED,), channels=whole)
    first = ModelStore.open(other, device="cpu")
    assert first.localized_organs == ()
    found = dict(two_network_dice(case(PLACED), first, store))
    assert found[PLACED].second > 0.9


def test_steps_are_compared_at_the_placed_organ(store: ModelStore) -> None:
    masks = case(PLACED).masks
    both = replace(
        case(),
        masks=Labels({MANDIBLE: masks[PLACED], PLACED: masks[PLACED], SEEN: masks[PLACED]}),
    )
    rows = [
        row for measure, row in step_scores([both], store, store, PLACED, PLACED) if measure == DICE
    ]
    left = [value for _, organ, _, value in rows if organ == PLACED]
    assert len(left) == 2
    assert min(left) > 0.9


def test_an_organ_that_nothing_places_says_why(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = replace(PRIORS, offsets={})
    monkeypatch.setattr("oarflow.segmentation.search.load_priors", lambda: nothing)
    (one,) = score_case(case(PLACED), store, None)
    assert (one.status, one.score.dsc, one.contoured) == ("failed", 0.0, False)
    assert one.reason == "NO_SEARCH_REGION"


def test_tuning_gives_a_network_its_mr(tmp_path: Path) -> None:
    """A ball that only the MR shows, and a network that reads the MR alone."""
    volume = sphere_volume({SEEN: RIGHT})
    ball = case(PLACED).masks[PLACED]
    folder = tmp_path / "models"
    save_model(folder / "loc", Role.LOCALIZER, (SEEN,), (5.0, 5.0, 5.0), (0.0, 0.0, 0.0))
    channels = (Channel(window=WINDOW), Channel(source="mr", window=(0.0, 1000.0)))
    write_model(folder / "mr", Near((300.0,), channel=1), organs=(PLACED,), channels=channels)
    mr = np.where(ball, 800.0, 0.0).astype(np.float32)
    paired = replace(case(PLACED), ct=volume.hu.astype(np.int16), mr=mr)
    (one,) = score_case(paired, ModelStore.open(folder, device="cpu"), None)
    assert one.score.dsc > 0.8


@pytest.mark.parametrize("command", ["tune", "agreement"])
def test_patients_are_read_with_their_mr_where_a_network_reads_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    folder = tmp_path / "models"
    channels = (Channel(window=WINDOW), Channel(source="mr", window=(0.0, 1000.0)))
    write_model(folder / "mr", Near((300.0,), channel=1), organs=(PLACED,), channels=channels)
    asked = []

    def read(self: TrainingData, ids: object, *, mr: bool = False) -> list[TrainingCase]:
        asked.append(mr)
        return []

    monkeypatch.setattr(TrainingData, "read", read)
    data, models = (
        str(_patients(tmp_path / "data")),
        [str(folder)] * (2 if command != "tune" else 1),
    )
    output = str(tmp_path / "scores")
    assert main(["train", command, "--data", data, "--models", *models, "-o", output]) == 0
    assert asked == [True]


def _patients(folder: Path) -> Path:
    write_pddca(folder, "0522c0001")
    write_pddca(folder, "0522c0002")
    return folder


def test_a_placed_landmark_is_no_landmark_that_was_seen(store: ModelStore) -> None:
    """The gate judges what the localizer saw, whatever neighbours place beside it."""
    volume = sphere_volume({PLACED: LEFT, SEEN: RIGHT})
    found = find_organs(volume, store)
    assert found[PLACED].by_neighbours
    require_head_and_neck(found, volume, lambda turned: found, 0.0)
    three = {organ: replace(found[PLACED], organ=organ) for organ in ("Brainstem", "Larynx")}
    require_head_and_neck({**found, **three}, volume, lambda turned: found, 0.0)


LOCALIZER_ALONE = {
    "oarflow/segmentation/search.py",
    "oarflow/training/tuning/localizers.py",
    "oarflow/training/papers/c2f/sure_score.py",
}
"""What asks the localizer alone: the shared way itself, and what judges or tunes a localizer."""


def test_nothing_else_localizes_past_the_shared_way() -> None:
    asking = {
        str(path.relative_to(ROOT))
        for top in ("app", "operators", "oarflow")
        for path in (ROOT / top).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.module == "oarflow.segmentation.localizer"
        and any(alias.name == "localize" for alias in node.names)
    }
    assert asking == LOCALIZER_ALONE
