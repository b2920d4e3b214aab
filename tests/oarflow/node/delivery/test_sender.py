"""Deliveries as the database has them: begun, tried again, given up, never made twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from oarflow.node.database import deliveries, jobs
from oarflow.node.database.deliveries import DeliveryState
from oarflow.node.delivery import planning
from oarflow.node.delivery.folder import place
from oarflow.node.delivery.refusal import RefusedStudy, reason_page
from oarflow.node.delivery.sender import Sender
from oarflow.node.states import NotAllowed, State
from tests.oarflow.node.delivery import bench, peers


def test_a_finished_job_lies_in_the_folder(tmp_path: Path) -> None:
    share = tmp_path / "share"
    context = bench.make_context(tmp_path, delivery=bench.to_folder(share))
    job_id = bench.add_job(context)
    with bench.Running(context) as running:
        job = running.reaches(job_id, State.DELIVERED)
    assert [path.read_bytes() for path in share.iterdir()] == [bench.RTSTRUCT.read_bytes()]
    uid = str(dcmread(bench.RTSTRUCT, stop_before_pixels=True).SOPInstanceUID)
    assert [path.name for path in share.iterdir()] == [f"{uid}.dcm"]
    assert [step.after for step in job.steps][-2:] == [State.DELIVERING, State.DELIVERED]
    assert job.steps[-1].reason == "delivered to share"


def test_no_rule_no_destination(tmp_path: Path) -> None:
    context = bench.make_context(tmp_path, delivery=bench.delivering())
    job_id = bench.add_job(context)
    with bench.Running(context) as running:
        job = running.reaches(job_id, State.DELIVERED)
    assert job.reason == "no rule names a destination for it"


def test_a_destination_gets_the_kinds_it_wants_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.4")
    wanted = bench.to_folder(tmp_path / "share", objects=["REPORT_PDF", "RTSTRUCT", "SEG"])
    context = bench.make_context(tmp_path, delivery=wanted)
    files = {"RTSTRUCT": bench.RTSTRUCT, "REPORT_PDF": tmp_path / "report.pdf"}
    job_id = bench.add_job(context, files=files)
    with bench.Running(context) as running:
        job = running.reaches(job_id, State.DELIVERED)
    assert job.deliveries[0].kinds == ["REPORT_PDF", "RTSTRUCT"]
    assert {p.suffix for p in (tmp_path / "share").iterdir()} == {".pdf", ".dcm"}


def test_what_was_not_written_is_told_in_the_step_and_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = bench.to_folder(tmp_path / "share", objects=["RTSTRUCT", "SEG"])
    context = bench.make_context(tmp_path, delivery=wanted)
    job_id = bench.add_job(context)
    with bench.Running(context) as running:
        job = running.reaches(job_id, State.DELIVERED)
    words = "share gets no SEG: not written"
    assert [s.reason for s in job.steps if s.after is State.DELIVERING] == [
        f"the delivery begins; {words}"
    ]
    assert words in caplog.text


def test_a_destination_for_which_nothing_was_written_is_a_dead_letter(tmp_path: Path) -> None:
    """Nothing was sent, so nothing is delivered; it goes out once the setting is mended."""
    share = tmp_path / "share"
    with peers.bell() as (url, heard):
        section = bench.to_folder(share, objects=["SEG", "REPORT_PDF"]) | {
            "alarm": {"webhook": url}
        }
        context = bench.make_context(tmp_path, delivery=section)
        job_id = bench.add_job(context)
        with bench.Running(context) as running:
            job = running.reaches(job_id, State.DEAD_LETTER)
            bench.until(lambda: heard)
    reason = "the application wrote none of SEG, REPORT_PDF"
    assert job.deliveries[0].reason == heard[0]["reason"] == reason
    assert list(share.iterdir()) == []
    mended = bench.make_context(tmp_path, delivery=bench.to_folder(share, objects=["RTSTRUCT"]))
    with mended.database.write() as session:
        deliveries.resend(session, jobs.load(session, job_id), "jane")
    with bench.Running(mended) as running:
        job = running.reaches(job_id, State.DELIVERED)
    assert job.deliveries[-1].kinds == ["RTSTRUCT"]
    assert len(list(share.iterdir())) == 1


def test_a_folder_that_is_away_is_tried_until_it_is_back(tmp_path: Path) -> None:
    share = tmp_path / "share"
    context = bench.make_context(tmp_path, delivery=bench.to_folder(share))
    share.rmdir()
    job_id = bench.add_job(context)
    with bench.Running(context) as running:
        bench.until(lambda: bench.look(context, job_id).deliveries)
        bench.until(lambda: bench.look(context, job_id).deliveries[0].attempts >= 3)
        reason = bench.look(context, job_id).deliveries[0].reason
        share.mkdir()
        running.reaches(job_id, State.DELIVERED)
    assert reason == "the folder is not writable: No such file or directory"


def test_a_rest_of_a_copy_that_was_cut_off_is_no_file(tmp_path: Path) -> None:
    """What kill -9 in the middle of a copy leaves: the next attempt overwrites it."""
    share = tmp_path / "share"
    context = bench.make_context(tmp_path, delivery=bench.to_folder(share))
    uid = str(dcmread(bench.RTSTRUCT, stop_before_pixels=True).SOPInstanceUID)
    (share / f".{uid}.dcm.part").write_bytes(b"half")
    job_id = bench.add_job(context)
    with bench.Running(context) as running:
        running.reaches(job_id, State.DELIVERED)
    assert [path.name for path in share.iterdir()] == [f"{uid}.dcm"]


def test_what_was_there_before_is_neither_overwritten_nor_sent_twice(tmp_path: Path) -> None:
    share = tmp_path / "share"
    context = bench.make_context(tmp_path, delivery=bench.to_folder(share))
    uid = str(dcmread(bench.RTSTRUCT, stop_before_pixels=True).SOPInstanceUID)
    place(bench.RTSTRUCT, share / f"{uid}.dcm")
    written = (share / f"{uid}.dcm").stat().st_mtime_ns
    first = bench.add_job(context)
    with bench.Running(context) as running:
        running.reaches(first, State.DELIVERED)
        assert (share / f"{uid}.dcm").stat().st_mtime_ns == written
        (share / f"{uid}.dcm").write_bytes(b"somebody else's")
        second = bench.add_job(context)
        bench.until(lambda: bench.look(context, second).deliveries)
        bench.until(lambda: bench.look(context, second).deliveries[0].reason)
    assert "other content" in bench.look(context, second).deliveries[0].reason
    assert (share / f"{uid}.dcm").read_bytes() == b"somebody else's"


def test_an_altered_result_is_not_sent(tmp_path: Path) -> None:
    share = tmp_path / "share"
    context = bench.make_context(tmp_path, delivery=bench.to_folder(share))
    job_id = bench.add_job(context)
    output = context.settings.storage.root / bench.look(context, job_id).output / "rtstruct.dcm"
    output.write_bytes(output.read_bytes()[:-1] + b"x")
    with bench.Running(context) as running:
        job = running.reaches(job_id, State.DEAD_LETTER)
    assert "has changed since it was written" in job.deliveries[0].reason
    assert list(share.iterdir()) == []


def test_a_dead_letter_rings_and_can_be_sent_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    share = tmp_path / "share"
    section = bench.to_folder(share)
    section["retry"] = {"first_seconds": 0.01, "longest_seconds": 0.01, "give_up_hours": 1e-5}
    share.rmdir()
    with peers.bell() as (url, heard):
        context = bench.make_context(tmp_path, delivery={**section, "alarm": {"webhook": url}})
        job_id = bench.add_job(context)
        with bench.Running(context) as running:
            running.reaches(job_id, State.DEAD_LETTER)
            bench.until(lambda: heard)
            share.mkdir()
            with context.database.write() as session:
                deliveries.resend(session, jobs.load(session, job_id), "jane")
            job = running.reaches(job_id, State.DELIVERED)
    assert len(heard) == 1
    assert heard[0]["job"] == job.key
    assert heard[0]["destination"] == "share"
    assert [step.actor for step in job.steps if step.reason == "asked to send again"] == ["jane"]
    said = caplog.text + json.dumps(heard)
    assert "dead letter" in said
    assert bench.NAME not in said
    assert bench.PATIENT_ID not in said


def test_what_the_sender_had_in_hand_when_it_died_is_taken_up(tmp_path: Path) -> None:
    """Killed between claiming and sending: the row says sending, and nobody sends."""
    share = tmp_path / "share"
    context = bench.make_context(tmp_path, delivery=bench.to_folder(share))
    job_id = bench.add_job(context)
    dead = Sender(context)
    with context.database.write() as session:
        planning.begin_all(session, context.settings)
        row = deliveries.candidates(session, DeliveryState.WAITING)[0]
        assert deliveries.claim(session, row.id, dead._owner)
    assert bench.look(context, job_id).deliveries[0].state == DeliveryState.SENDING
    with bench.Running(context) as running:
        running.reaches(job_id, State.DELIVERED)


def test_a_claim_counts_once(tmp_path: Path) -> None:
    context = bench.make_context(tmp_path, delivery=bench.to_folder(tmp_path / "share"))
    bench.add_job(context)
    with context.database.write() as session:
        planning.begin_all(session, context.settings)
        row = deliveries.candidates(session, DeliveryState.WAITING)[0]
        first = deliveries.claim(session, row.id, "one")
        assert first is not None
        assert deliveries.claim(session, row.id, "another") is None
        assert deliveries.claimed(session, row.id, "guessed") is None
        assert deliveries.claimed(session, row.id, first) is row


def test_a_dead_letter_sends_only_what_is_missing(tmp_path: Path) -> None:
    share, other = tmp_path / "share", tmp_path / "other"
    share.mkdir()
    destinations = {
        "share": {"kind": "folder", "path": str(share)},
        "other": {"kind": "folder", "path": str(other)},
    }
    section = bench.delivering(destinations=destinations, otherwise=["share", "other"])
    section["retry"] = {"first_seconds": 0.01, "longest_seconds": 0.01, "give_up_hours": 1e-6}
    context = bench.make_context(tmp_path, delivery=section)
    job_id = bench.add_job(context)
    with bench.Running(context) as running:
        running.reaches(job_id, State.DEAD_LETTER)
        other.mkdir()
        next(share.iterdir()).unlink()
        with context.database.write() as session:
            deliveries.resend(session, jobs.load(session, job_id), "jane")
        running.reaches(job_id, State.DELIVERED)
    assert list(share.iterdir()) == []
    assert len(list(other.iterdir())) == 1


def test_a_held_job_waits_for_a_person(tmp_path: Path) -> None:
    share = tmp_path / "share"
    context = bench.make_context(tmp_path, delivery=bench.to_folder(share))
    job_id = bench.add_job(context)
    with context.database.write() as session:
        job = jobs.load(session, job_id)
        job.state = State.HELD
    with bench.Running(context) as running:
        clear = bench.add_job(context)
        running.reaches(clear, State.DELIVERED)
        assert running.state(job_id) is State.HELD
        with context.database.write() as session:
            job = jobs.load(session, job_id)
            planning.begin(session, context.settings, job, "released", "jane")
        job = running.reaches(job_id, State.DELIVERED)
    assert job.steps[-2].actor == "jane"


def test_a_cancelled_job_is_not_sent(tmp_path: Path) -> None:
    share = tmp_path / "share"
    context = bench.make_context(tmp_path, delivery=bench.to_folder(share))
    job_id = bench.add_job(context)
    with context.database.write() as session:
        planning.begin_all(session, context.settings)
        job = jobs.load(session, job_id)
        jobs.cancel(session, job, "jane")
        deliveries.cancel_all(session, job)
        with pytest.raises(NotAllowed):
            deliveries.resend(session, job, "jane")
    clear = bench.add_job(context)
    with bench.Running(context) as running:
        running.reaches(clear, State.DELIVERED)
    assert bench.look(context, job_id).deliveries[0].state == DeliveryState.CANCELLED
    assert len(list(share.iterdir())) == 1


GAP = "a slice is missing: 3.0 mm, then 6.0 mm"


def _refuse(context: Any, job_id: int, code: str) -> None:
    with context.database.write() as session:
        job = jobs.load(session, job_id)
        job.state, job.output = State.RECEIVED, ""
        jobs.refuse(session, job, code, GAP)


def test_a_refusal_arrives_as_a_pdf_in_the_study(tmp_path: Path) -> None:
    share = tmp_path / "share"
    context = bench.make_context(tmp_path, delivery=bench.to_folder(share, refusals=True))
    job_id = bench.add_job(context)
    _refuse(context, job_id, "MISSING_SLICE")
    with bench.Running(context) as running:
        running.reaches(job_id, State.DELIVERED)
    sent = dcmread(next(share.iterdir()))
    image = dcmread(sorted((bench.SAMPLE / "ct").iterdir())[0], stop_before_pixels=True)
    assert sent.SOPClassUID.name == "Encapsulated PDF Storage"
    assert (sent.PatientID, sent.StudyInstanceUID) == (image.PatientID, image.StudyInstanceUID)
    assert sent.PatientName == image.PatientName
    told = RefusedStudy("", 0, "MISSING_SLICE", GAP, tmp_path)
    document = bytes(sent.EncapsulatedDocument)[: sent.EncapsulatedDocumentLength]
    assert document == reason_page(told)
    assert document.startswith(b"%PDF-")
    assert reason_page(replace(told, reason="another")) != document
    assert sent.SeriesInstanceUID != image.SeriesInstanceUID


def test_a_refusal_stays_here_where_nobody_wants_it(tmp_path: Path) -> None:
    share = tmp_path / "share"
    context = bench.make_context(tmp_path, delivery=bench.to_folder(share))
    job_id = bench.add_job(context)
    _refuse(context, job_id, "MISSING_SLICE")
    clear = bench.add_job(context)
    with bench.Running(context) as running:
        running.reaches(clear, State.DELIVERED)
    assert bench.look(context, job_id).state is State.REFUSED


def test_slow_destinations_do_not_hold_up_others(tmp_path: Path) -> None:
    """One destination is a peer that takes the connection and says nothing."""
    import socket

    share = tmp_path / "share"
    share.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        mute = {
            "kind": "dicom",
            "ae_title": "MUTE",
            "host": "127.0.0.1",
            "port": port,
            "timeout_seconds": 3,
        }
        destinations = {"mute": mute, "share": {"kind": "folder", "path": str(share)}}
        section = bench.delivering(destinations=destinations, otherwise=["mute", "share"])
        context = bench.make_context(tmp_path, delivery=section)
        job_id = bench.add_job(context)
        with bench.Running(context):
            bench.until(lambda: list(share.glob("*.dcm")), 2.5)
            rows = {row.destination: row for row in bench.look(context, job_id).deliveries}
            assert rows["mute"].state == DeliveryState.SENDING
