"""What the pages show, what the buttons do, and where patients' names never are."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.node.database import jobs
from oarflow.node.database.models import AuditEntry
from oarflow.node.delivery import planning
from oarflow.node.delivery.outgoing import Altered
from oarflow.node.execution import results
from oarflow.node.execution.results import NotProven
from oarflow.node.states import State
from oarflow.result import TemplatePart, read_document
from tests.oarflow.node.delivery import bench
from tests.oarflow.node.web import ward

NASTY = '<script>alert("x")</script>^"><img src=x onerror=alert(1)>'


def put(context: object, job_id: int, state: State, **values: object) -> None:
    """Put a job somewhere, whatever the table says."""
    with context.database.write() as session:  # type: ignore[attr-defined]
        job = jobs.load(session, job_id)
        job.state = state
        for name, value in values.items():
            setattr(job, name, value)


def test_the_list_shows_studies_and_searches_them(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    bench.add_job(context)
    bench.add_job(context, patient_name="Other^One", patient_id="100%", description="Thorax")
    visitor = ward.signed_in(context)
    both = visitor.get("/").text
    assert "Quux Zebediah" in both
    assert "Other One" in both
    for term, found in [
        ("zebed", "Quux"),
        ("QUUX secret", "Quux"),
        ("4711", "Quux"),
        ("thorax", "Other"),
        ("100%", "Other"),
        ("%", "Other"),
        ("acc-99 other", "Other"),
    ]:
        page = visitor.post("/search", term=term).text
        assert found in page, term
        assert ("Quux" in page) != ("Other" in page), term
    assert "No studies match" in visitor.post("/search", term="nobody").text


def test_states_and_pages_of_the_list(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path, web={"rows": 2})
    names = ["Anna", "Bert", "Cleo"]
    made = [bench.add_job(context, patient_name=name) for name in names]
    put(context, made[0], State.FAILED)
    visitor = ward.signed_in(context)
    first = visitor.get("/").text
    assert [name in first for name in names] == [False, True, True]
    older = visitor.post("/search", number="2").text
    assert [name in older for name in names] == [True, False, False]
    failed = visitor.get("/?state=failed").text
    assert [name in failed for name in names] == [True, False, False]
    assert visitor.get("/?state=nonsense").status_code == 404


def test_a_script_in_a_name_is_text(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    job_id = bench.add_job(context, patient_name=NASTY, patient_id=NASTY, description=NASTY)
    visitor = ward.signed_in(context)
    key = bench.look(context, job_id).key
    pages = (visitor.get("/"), visitor.get(f"/studies/{key}"), visitor.get("/audit"))
    for page in (*pages, visitor.post("/search", term="script")):
        assert "&lt;script&gt;" in page.text
        assert "<script>" not in page.text
        assert "<img" not in page.text


def test_live_states_hold_progress_and_nothing_of_the_patient(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    job_id = bench.add_job(context)
    said = {"stage": "segment", "organ": "Parotid_L", "number": 3, "total": 8}
    put(context, job_id, State.RUNNING, progress=said)
    visitor = ward.signed_in(context)
    key = bench.look(context, job_id).key
    answer = visitor.get(f"/live?keys={key},unknown")
    (live,) = answer.json()["jobs"]
    assert (live["state"], live["share"]) == ("running", 25)
    assert live["doing"] == "Parotid_L, 3 of 8"
    assert bench.NAME.split("^")[0] not in answer.text
    assert bench.PATIENT_ID not in answer.text


def test_a_study_shows_organs_and_its_way(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    job_id = bench.add_job(context)
    page = ward.signed_in(context).get(f"/studies/{bench.look(context, job_id).key}").text
    organs = json.loads((bench.SAMPLE / "expected" / "result.json").read_text())["organs"]
    for organ in organs:
        assert organ["name"] in page
    for step in ("received", "complete", "queued", "running", "segmented"):
        assert f"<td>{step}</td>" in page


def test_a_study_shows_its_own_flags_and_each_organ_s_messages(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    job = bench.look(context, bench.add_job(context))
    path = context.settings.storage.root / job.output / "result.json"
    document = read_document(path.read_bytes())
    child = Flag.of(FlagCode.PATIENT_UNDER_18, age_years=12, limit_years=18)
    path.write_bytes(document.model_copy(update={"study_flags": (child,)}).as_json())
    page = ward.signed_in(context).get(f"/studies/{job.key}").text
    assert f"Whole study:</strong> {child.message}" in page
    (message, *_) = (flag.message for organ in document.organs for flag in organ.flags)
    assert message in page


def test_a_study_shows_its_template(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    job = bench.look(context, bench.add_job(context))
    path = context.settings.storage.root / job.output / "result.json"
    document = read_document(path.read_bytes())
    visitor = ward.signed_in(context)
    assert "<dt>Template</dt>" not in visitor.get(f"/studies/{job.key}").text
    for rule, words in (("station: CT", "rule station: CT"), (None, "no rule fits")):
        part = TemplatePart(name="larynx", rule=rule, sha256="0" * 64)
        path.write_bytes(document.model_copy(update={"template": part}).as_json())
        page = visitor.get(f"/studies/{job.key}").text
        assert f"<dt>Template</dt><dd>larynx ({words})</dd>" in page


def test_faulty_templates_show_on_the_list_and_do_not_stop_the_node(tmp_path: Path) -> None:
    visitor = ward.signed_in(ward.make_ward(tmp_path))
    assert "Templates:" not in visitor.get("/").text
    visitor.trouble["templates"] = "bad.yaml: <line 1>"
    assert "<strong>Templates:</strong> bad.yaml: &lt;line 1&gt;" in visitor.get("/").text
    answer = visitor.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "trouble")
    assert 'oarflow_part_up{part="templates"} 0.0' in visitor.get("/metrics").text
    visitor.trouble["listener"] = "not running"
    assert visitor.get("/healthz").status_code == 503


def test_a_result_of_an_earlier_version_is_named(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    job = bench.look(context, bench.add_job(context))
    path = context.settings.storage.root / job.output / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": "1.1"}))
    page = ward.signed_in(context).get(f"/studies/{job.key}").text
    assert "result.json has schema version 1.1" in page
    with pytest.raises(Altered, match=r"schema version 1\.1"):
        planning.read_result(context.settings.storage.root, job)
    with pytest.raises(NotProven, match=r"schema version 1\.1"):
        results.read_result(path.parent)


def test_the_buttons_do_what_they_say(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    job_id = bench.add_job(context)
    visitor = ward.signed_in(context)
    page = f"/studies/{bench.look(context, job_id).key}"
    put(context, job_id, State.HELD)
    assert "Release for delivery" in visitor.get(page).text
    assert visitor.post(f"{page}/release").status_code == 303
    assert bench.look(context, job_id).deliveries[0].kinds == ["RTSTRUCT"]
    assert visitor.post(f"{page}/resend").status_code == 409
    put(context, job_id, State.DELIVERED)
    assert "Send again" in visitor.get(page).text
    assert visitor.post(f"{page}/resend").status_code == 303
    job = bench.look(context, job_id)
    assert (job.state, [row.round for row in job.deliveries]) == (State.DELIVERING, [1, 2])
    assert visitor.post(f"{page}/cancel").status_code == 303
    assert {row.state for row in bench.look(context, job_id).deliveries} == {"cancelled"}
    assert visitor.post(f"{page}/retry").status_code == 303
    job = bench.look(context, job_id)
    assert job.state is State.QUEUED
    assert {step.actor for step in job.steps if step.id > job.steps[4].id} == {"jane"}
    assert visitor.post(f"{page}/explode").status_code == 404
    assert visitor.post("/studies/unknown/cancel").status_code == 404


def test_a_refusal_is_explained(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    job_id = bench.add_job(context)
    put(context, job_id, State.REFUSED, refusal="MISSING_SLICE", reason="3.0 mm, then 6.0 mm")
    page = ward.signed_in(context).get(f"/studies/{bench.look(context, job_id).key}").text
    assert "MISSING_SLICE" in page
    assert "Send the series again, complete." in page
    assert "3.0 mm, then 6.0 mm" in page


def test_a_reason_that_was_delivered_is_never_taken_for_contours(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    refused = bench.add_job(context, patient_name="Refused^One")
    bench.add_job(context, patient_name="Contoured^One")
    put(context, refused, State.DELIVERED, refusal="MISSING_SLICE")
    visitor = ward.signed_in(context)
    assert "refused, reason delivered" in visitor.get("/").text
    key = bench.look(context, refused).key
    (live,) = visitor.get(f"/live?keys={key}").json()["jobs"]
    assert (live["state"], live["css"]) == ("refused, reason delivered", "refused")
    assert "Refused One" in visitor.get("/?state=refused").text
    assert "Refused One" not in visitor.get("/?state=delivered").text
    assert 'oarflow_refused_jobs{code="MISSING_SLICE"} 1.0' in visitor.get("/metrics").text
    assert "Contour again" in visitor.get(f"/studies/{key}").text


def test_the_report_lives_in_an_origin_of_its_own(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("<p>hello</p>")
    context = ward.make_ward(tmp_path)
    files = {"RTSTRUCT": bench.RTSTRUCT, "REPORT_HTML": report}
    key = bench.look(context, bench.add_job(context, files=files)).key
    visitor = ward.signed_in(context)
    allowed = "allow-scripts allow-forms allow-downloads allow-modals"
    assert f'sandbox="{allowed}"' in visitor.get(f"/studies/{key}/report").text
    answer = visitor.get(f"/studies/{key}/report.html")
    assert answer.text == "<p>hello</p>"
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[0] == f"sandbox {allowed}"
    assert "form-action 'none'" in policy
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert visitor.get(f"/studies/{key}/report.pdf").status_code == 404
    assert visitor.get(f"/studies/{key}/report.json").status_code == 404
    assert "report" in [entry.action for entry in ward.log(context)]


def test_health_and_metrics_tell_the_state_and_no_patient(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    job_id = bench.add_job(context)
    put(context, job_id, State.DEAD_LETTER)
    visitor = ward.Visitor(context, {"listener": None, "database": None})
    assert visitor.get("/healthz").json()["status"] == "ok"
    metrics = visitor.get("/metrics").text
    assert 'oarflow_jobs{state="dead letter"} 1.0' in metrics
    assert 'oarflow_part_up{part="listener"} 1.0' in metrics
    assert "oarflow_instances_received_total 2.0" in metrics
    ailing = ward.Visitor(context, {"listener": "the disk is full"})
    assert ailing.get("/healthz").status_code == 503
    assert ailing.get("/healthz").json()["parts"] == {"listener": "the disk is full"}
    assert 'oarflow_part_up{part="listener"} 0.0' in ailing.get("/metrics").text
    for page in (metrics, ailing.get("/healthz").text):
        assert "Quux" not in page
        assert bench.PATIENT_ID not in page


def test_names_stay_out_of_logs_addresses_and_file_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    context = ward.make_ward(tmp_path)
    key = bench.look(context, bench.add_job(context)).key
    visitor = ward.signed_in(context)
    answers = [visitor.get("/"), visitor.post("/search", term="Quux")]
    answers += [visitor.get(f"/studies/{key}"), visitor.post(f"/studies/{key}/cancel")]
    addresses = " ".join(str(one.url) + one.headers.get("location", "") for one in answers)
    files = " ".join(str(path) for path in tmp_path.rglob("*"))
    for secret in ("quux", "zebediah", bench.PATIENT_ID.lower()):
        assert secret in (answers[0].text + answers[2].text).lower()
        ours = "\n".join(line for line in caplog.text.splitlines() if "sqlalchemy" not in line)
        assert secret not in (ours + addresses + files).lower()


def test_a_fault_shows_no_patient(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ward.make_ward(tmp_path)
    visitor = ward.signed_in(context)
    visitor.http._transport.raise_server_exceptions = False  # type: ignore[attr-defined]

    def broken(*_: object, **__: object) -> AuditEntry:
        raise RuntimeError("Quux^Zebediah")

    monkeypatch.setattr("oarflow.node.web.views.listing", broken)
    answer = visitor.get("/")
    assert answer.status_code == 500
    assert "Quux" not in answer.text
    assert "Quux" not in "".join(r.getMessage() for r in caplog.records if "web" in r.name)


OVERRIDE = "P-\u202e321"
"""Would be read as P-123."""


def test_what_turns_text_round_is_shown_as_an_escape(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    job_id = bench.add_job(
        context, patient_name=f"{OVERRIDE}^Anna\x07", patient_id=OVERRIDE, description=OVERRIDE
    )
    put(context, job_id, State.RUNNING, progress={"stage": OVERRIDE}, reason=OVERRIDE)
    visitor = ward.signed_in(context)
    key = bench.look(context, job_id).key
    visitor.post("/search", term="P-321")
    for page in ("/", f"/studies/{key}", "/audit", f"/live?keys={key}"):
        text = visitor.get(page).text
        assert "\u202e" not in text
        assert "\x07" not in text
        if page != "/audit":
            assert "\\u202e321" in text
    assert "<bdi>P-\\u202e321</bdi>" in visitor.get("/").text


@pytest.mark.parametrize("sign", ["\0", "\x01", "\u202e", "\u200b", "\x7f"])
def test_a_search_for_what_nobody_sees_is_refused(tmp_path: Path, sign: str) -> None:
    context = ward.make_ward(tmp_path)
    bench.add_job(context, patient_id="P-1")
    visitor = ward.signed_in(context)
    for term in (sign, f"{sign}Z", f"Z {sign}", f"Z{sign}Z"):
        if not term.strip():
            continue
        answer = visitor.post("/search", term=term)
        assert answer.status_code == 422
        assert f"invisible character (\\u{ord(sign):04x})" in answer.text
        assert "P-1" not in answer.text
    assert visitor.get("/studies/%00").status_code == 404
    assert visitor.get("/live?keys=%00").json()["jobs"] == []
    assert ward.Visitor(context).sign_in("jane\0", "x" * 12).status_code == 401
