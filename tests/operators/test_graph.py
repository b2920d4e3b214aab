"""The graph: it is a MONAI Deploy application, and what an operator raises comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.application import Job, OARflow
from oarflow.errors import Code, Fault, Finding, Refusal
from oarflow.intake import FileAccount, Intake
from oarflow.networks.store import ModelStore
from oarflow.organs import load_catalogue
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.specs import RoiSpec
from oarflow.run.progress import Silent
from oarflow.structures import Segmentation, Status
from oarflow.writing import WritePlan, Written
from operators import sdk
from operators.stage import Journal
from tests.oarflow.chain import ORGAN_HU, save_models, sphere_volume


class Watcher(Silent):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def stage_started(self, stage: str) -> None:
        self.told.append(f"{stage} started")

    def stage_finished(self, stage: str, seconds: float) -> None:
        self.told.append(f"{stage} finished")

    def organ_finished(self, segmentation: Segmentation, number: int, total: int) -> None:
        self.told.append(f"{segmentation.organ} {segmentation.status} {number}/{total}")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    return ModelStore.open(save_models(tmp_path_factory.mktemp("models") / "all"), device="cpu")


def job(
    store: ModelStore,
    folder: Path,
    read: Callable[..., Intake],
    deliver: Callable[[Written], None] = lambda written: None,
) -> Job:
    specs = {organ: RoiSpec(organ, organ, (255, 0, 0)) for organ in ORGAN_HU}
    provenance = Provenance("0" * 64, "cpu")
    plan = WritePlan(folder, specs, provenance, datetime(2026, 1, 2, tzinfo=UTC))
    return Job(read, store, tuple(ORGAN_HU), None, True, (), load_catalogue(), plan, deliver)


def test_the_graph_is_made_of_the_sdks_own_classes() -> None:
    core = pytest.importorskip("monai.deploy.core")
    conditions = pytest.importorskip("monai.deploy.conditions")
    assert sdk.Application is core.Application
    assert sdk.Operator is core.Operator
    assert sdk.OperatorSpec is core.OperatorSpec
    assert sdk.CountCondition is conditions.CountCondition
    assert issubclass(OARflow, core.Application)


def test_a_refusal_comes_out_and_stops_the_graph(store: ModelStore, tmp_path: Path) -> None:
    def refuse(progress: object) -> Intake:
        raise Refusal(Finding(Code.GANTRY_TILT, "5 degrees"))

    watcher = Watcher()
    journal = Journal(watcher)
    with pytest.raises(Refusal) as caught:
        OARflow(job(store, tmp_path, refuse), journal).run()
    assert caught.value.code == Code.GANTRY_TILT
    assert watcher.told == ["intake started", "intake finished"]
    assert list(journal.record.stages) == ["intake"]


def test_a_scan_without_the_organs_is_refused_with_their_statuses(
    store: ModelStore, tmp_path: Path
) -> None:
    def read(progress: object) -> Intake:
        return Intake(sphere_volume({}), FileAccount())

    journal = Journal(Watcher())
    with pytest.raises(Refusal) as caught:
        OARflow(job(store, tmp_path, read), journal).run()
    assert caught.value.code == Code.NOTHING_SEGMENTED
    statuses = {organ: s.status for organ, s in journal.record.segmentations.items()}
    assert statuses == dict.fromkeys(ORGAN_HU, Status.ABSENT)


def test_a_file_that_cannot_be_proven_is_a_fault(store: ModelStore, tmp_path: Path) -> None:
    """Here the CT has no files on the disk, so that the self-check has nothing to go by."""

    def read(progress: object) -> Intake:
        return Intake(sphere_volume({"Parotid_L": (30.0, 0.0, 0.0)}), FileAccount())

    delivered: list[Written] = []
    journal = Journal(Watcher())
    with pytest.raises(Fault):
        OARflow(job(store, tmp_path, read, delivered.append), journal).run()
    assert delivered == []
    assert journal.record.written is None


def test_organs_are_told_one_by_one(store: ModelStore, tmp_path: Path) -> None:
    def read(progress: object) -> Intake:
        return Intake(sphere_volume({"Parotid_L": (30.0, 0.0, 0.0)}), FileAccount())

    watcher = Watcher()
    with pytest.raises(Fault):
        OARflow(job(store, tmp_path, read), Journal(watcher)).run()
    assert "Parotid_L segmented 1/2" in watcher.told
    assert "Parotid_R absent 2/2" in watcher.told
