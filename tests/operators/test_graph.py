"""The graph: it is a MONAI Deploy application, and what an operator raises comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.application import OARflow
from oarflow import pipeline
from oarflow.derived.structures import derived_structures
from oarflow.errors import Code, ConfigurationError, Fault, Finding, Refusal
from oarflow.intake import FileAccount, Intake
from oarflow.networks.store import ModelStore
from oarflow.organs import load_catalogue
from oarflow.pipeline import Study, Task
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.specs import RoiSpec
from oarflow.run.progress import Silent
from oarflow.run.settings import checked_settings
from oarflow.structures import Segmentation, Status
from oarflow.writing.proven import WritePlan
from operators import sdk
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


def task(store: ModelStore, folder: Path, read: Callable[..., Intake]) -> Task:
    specs = {organ: RoiSpec(organ, organ, (255, 0, 0)) for organ in ORGAN_HU}
    provenance = Provenance("0" * 64, "cpu")
    plan = WritePlan(folder, specs, provenance, datetime(2026, 1, 2, tzinfo=UTC))
    return Task(read, store, tuple(ORGAN_HU), None, True, (), load_catalogue(), plan)


def contoured(task: Task, watcher: Watcher) -> Study:
    """The study as the graph hands it to the last operator."""
    delivered: list[Study] = []
    OARflow(Study(), task, watcher, delivered.append).run()
    (study,) = delivered
    return study


def test_the_graph_is_made_of_the_sdks_own_classes() -> None:
    core = pytest.importorskip("monai.deploy.core")
    conditions = pytest.importorskip("monai.deploy.conditions")
    assert sdk.Application is core.Application
    assert sdk.Operator is core.Operator
    assert sdk.OperatorSpec is core.OperatorSpec
    assert sdk.CountCondition is conditions.CountCondition
    assert issubclass(OARflow, core.Application)


def test_a_refusal_stops_the_steps_and_is_delivered(store: ModelStore, tmp_path: Path) -> None:
    def refuse(progress: object) -> Intake:
        raise Refusal(Finding(Code.GANTRY_TILT, "5 degrees"))

    watcher = Watcher()
    study = contoured(task(store, tmp_path, refuse), watcher)
    assert isinstance(study.error, Refusal)
    assert study.error.code == Code.GANTRY_TILT
    assert watcher.told == ["intake started", "intake finished"]
    assert list(study.seconds) == ["intake"]


def test_a_wrong_configuration_comes_out_of_the_graph(store: ModelStore, tmp_path: Path) -> None:
    def misconfigured(progress: object) -> Intake:
        raise ConfigurationError("SETTINGS", "wrong")

    with pytest.raises(ConfigurationError):
        contoured(task(store, tmp_path, misconfigured), Watcher())


def test_a_scan_without_the_organs_is_refused_with_their_statuses(
    store: ModelStore, tmp_path: Path
) -> None:
    def read(progress: object) -> Intake:
        return Intake(sphere_volume({}), FileAccount())

    study = contoured(task(store, tmp_path, read), Watcher())
    assert isinstance(study.error, Refusal)
    assert study.error.code == Code.NOTHING_SEGMENTED
    statuses = {found.organ: found.status for found in study.segmentations}
    assert statuses == dict.fromkeys(ORGAN_HU, Status.ABSENT)


def test_a_file_that_cannot_be_proven_is_a_fault(store: ModelStore, tmp_path: Path) -> None:
    """Here the CT has no files on the disk, so that the self-check has nothing to go by."""

    def read(progress: object) -> Intake:
        return Intake(sphere_volume({"Parotid_L": (30.0, 0.0, 0.0)}), FileAccount())

    study = contoured(task(store, tmp_path, read), Watcher())
    assert isinstance(study.error, Fault)
    assert study.written is None


def test_organs_are_told_one_by_one(store: ModelStore, tmp_path: Path) -> None:
    def read(progress: object) -> Intake:
        return Intake(sphere_volume({"Parotid_L": (30.0, 0.0, 0.0)}), FileAccount())

    watcher = Watcher()
    contoured(task(store, tmp_path, read), watcher)
    assert "Parotid_L segmented 1/2" in watcher.told
    assert "Parotid_R absent 2/2" in watcher.told


def test_graph_and_pipeline_carry_out_the_same_steps(store: ModelStore, tmp_path: Path) -> None:
    def read(progress: object) -> Intake:
        return Intake(sphere_volume({"Parotid_L": (30.0, 0.0, 0.0)}), FileAccount())

    graph, plain = Watcher(), Watcher()
    found = contoured(task(store, tmp_path, read), graph)
    alone = pipeline.run(Study(), task(store, tmp_path, read), plain)
    assert graph.told == plain.told
    for one, other in zip(found.segmentations, alone.segmentations, strict=True):
        assert (one.organ, one.status, one.volume_cc) == (
            other.organ,
            other.status,
            other.volume_cc,
        )


def test_structures_are_derived_in_the_graph_as_in_the_pipeline(
    store: ModelStore, tmp_path: Path
) -> None:
    def read(progress: object) -> Intake:
        return Intake(sphere_volume({"Parotid_L": (30.0, 0.0, 0.0)}), FileAccount())

    entries = [
        {"Parotid_PRV03_L": {"grow": "Parotid_L", "mm": 3}},
        {"Parotids": {"union": ["Parotid_L", "Parotid_R"]}},
    ]
    settings = checked_settings({"structures": entries}, "test")
    structures = derived_structures(settings.structures, load_catalogue(), None)
    with_structures = replace(task(store, tmp_path, read), structures=structures)
    graph, plain = Watcher(), Watcher()
    found = contoured(with_structures, graph)
    alone = pipeline.run(Study(), with_structures, plain)
    assert graph.told == plain.told
    assert "derive finished" in graph.told
    for study in (found, alone):
        statuses = {item.organ: item.status for item in study.segmentations}
        assert statuses == {
            "Parotid_L": Status.SUSPICIOUS,  # a network of the tests is not commissioned
            "Parotid_R": Status.ABSENT,
            "Parotid_PRV03_L": Status.SUSPICIOUS,
            "Parotids": Status.NOT_DERIVED,
        }
        ball, margin = (study.segmentations[n].volume_cc for n in (0, 2))
        assert margin / ball == pytest.approx((15 / 12) ** 3, rel=0.1)
