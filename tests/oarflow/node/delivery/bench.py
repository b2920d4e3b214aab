"""A node's database with finished jobs in it, and destinations that behave as told."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.database import Database, jobs
from oarflow.node.database.models import Instance, Job, ReceivedStudy, Series, new_key
from oarflow.node.delivery.notifier import Notifier
from oarflow.node.delivery.sender import Sender
from oarflow.node.settings import NodeSettings
from oarflow.node.states import State
from oarflow.result import ResultDocument

SAMPLE = Path(__file__).resolve().parents[4] / "samples" / "openkbp_validation"
RTSTRUCT = SAMPLE / "expected" / "rtstruct.dcm"
NAME, PATIENT_ID = "Quux^Zebediah", "SECRET-4711"


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], Any], seconds: float = 20) -> Any:
    """What becomes true; fails where it does not."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return found


def make_context(root: Path, **sections: Mapping[str, Any]) -> NodeContext:
    """An empty node."""
    document = {"storage": {"folder": str(root / "store")}, **sections}
    settings = NodeSettings.model_validate(document)
    settings.storage.root.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    database.migrate()
    return NodeContext(settings, database, lambda: {})


def delivering(**changes: Any) -> dict[str, Any]:
    """The section `delivery`, with pauses short enough for a test."""
    return {
        "poll_seconds": 0.05,
        "retry": {"first_seconds": 0.05, "longest_seconds": 0.2, "give_up_hours": 1},
        **changes,
    }


def to_folder(path: Path, **changes: Any) -> dict[str, Any]:
    """The section `delivery` with one folder, called `share`."""
    path.mkdir(parents=True, exist_ok=True)
    share = {"kind": "folder", "path": str(path), **changes}
    return delivering(destinations={"share": share}, otherwise=["share"])


def add_job(
    context: NodeContext,
    *,
    files: Mapping[str, Path] | None = None,
    patient_name: str = NAME,
    patient_id: str = PATIENT_ID,
    calling_ae: str = "SCANNER",
    description: str = "Head and neck",
) -> int:
    """A job whose results are written: outputs by kind. Returns its id; it stands at SEGMENTED."""
    with context.database.write() as session:
        study = ReceivedStudy(
            study_uid=f"2.25.{len(patient_name)}{time.monotonic_ns()}",
            calling_ae=calling_ae,
            patient_name=patient_name,
            patient_id=patient_id,
            accession_number="ACC-99",
            study_date="20260102",
            description=description,
        )
        series = Series(study=study, series_uid="2.25.7", modality="CT", folder=new_key())
        session.add(series)
        session.flush()
        job = jobs.create(session, series.id, 1, "the first instance came")
        _images(context, series)
        jobs.complete(session, job, "d" * 64, 1_763_683_200, "quiet")
        jobs.begin(session, job, "test")
        job.output = f"jobs/{job.key}/1"
        write_outputs(context.settings.storage.root / job.output, files or {"RTSTRUCT": RTSTRUCT})
        job.exit_status = 0
        jobs.move(session, job, State.SEGMENTED, "written")
        session.flush()
        return job.id


def _images(context: NodeContext, series: Series) -> None:
    folder = context.settings.storage.root / "received" / series.folder
    folder.mkdir(parents=True)
    for source in sorted((SAMPLE / "ct").iterdir())[:2]:
        path = folder / source.name
        shutil.copy(source, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        series.instances.append(
            Instance(
                sop_instance_uid=f"2.25.{int(digest[:16], 16)}",
                sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
                transfer_syntax_uid="1.2.840.10008.1.2.1",
                sha256=digest,
                size=path.stat().st_size,
                path=str(path.relative_to(context.settings.storage.root)),
            )
        )


def write_outputs(folder: Path, files: Mapping[str, Path]) -> None:
    """A finished run's folder: the sample's result.json, with these outputs by kind."""
    folder.mkdir(parents=True)
    document = json.loads((SAMPLE / "expected" / "result.json").read_bytes())
    document["outputs"] = []
    for kind, source in files.items():
        name = source.name
        shutil.copy(source, folder / name)
        document["outputs"].append(
            {
                "path": name,
                "kind": kind,
                "sop_instance_uid": None,
                "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
            }
        )
    result = ResultDocument.model_validate(document)
    (folder / "result.json").write_bytes(result.as_json())


class Running:
    """Sender and notifier at work, ended with the test."""

    def __init__(self, context: NodeContext) -> None:
        self.context = context
        self.sender = Sender(context)
        self.notifier = Notifier(context)

    def __enter__(self) -> Running:
        self.sender.start()
        self.notifier.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.notifier.stop()
        self.sender.stop()

    def state(self, job_id: int) -> State:
        return look(self.context, job_id).state

    def reaches(self, job_id: int, state: State) -> Job:
        """The job, once it is there."""
        until(lambda: self.state(job_id) is state)
        return look(self.context, job_id)


def look(context: NodeContext, job_id: int) -> Job:
    """The job as the database has it, with its steps and deliveries."""
    with context.database.read() as session:
        job = session.get(Job, job_id)
        assert job is not None
        _ = [*job.steps], [*job.deliveries]
        return job
