"""A template is chosen once the CT's header is known; every template is checked before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pydicom
import pytest

import oarflow
from oarflow.commands import main
from oarflow.errors import ConfigurationError, Refusal
from tests.app.workbench import app, clean_environment, write_ct

LEFT = """
rules: [{protocol_name: left}]
organs: [Parotid_L]
rois: {names: {Parotid_L: Links}, colours: {Parotid_L: [1, 2, 3]}}
label: LEFT
"""
CT1 = "rules: [{context: {calling_ae: CT1}}]\norgans: [Parotid_R]\n"
DEFAULT = "organs: all\n"
EPOCH = "1763683200"


@pytest.fixture(scope="module")
def left_ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CT whose protocol names the left side."""
    tags = {
        "PatientName": "SECRET^PATIENT",
        "PatientID": "SECRETID",
        "ProtocolName": "LEFT neck SECRET",
    }
    return write_ct(tmp_path_factory.mktemp("left") / "ct", seed="left", patient="two", tags=tags)


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    folder = tmp_path / "templates"
    folder.mkdir()
    for name, text in {"left": LEFT, "ct1": CT1, "plain": DEFAULT}.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.fixture(autouse=True)
def same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)


def contoured(ct: Path, models: Path, **options: Any) -> oarflow.Result:
    return oarflow.contour(ct, models=models, **options)


def uid(result: oarflow.Result) -> str | None:
    return result.document.outputs[0].sop_instance_uid


def test_the_header_chooses_organs_names_colours_and_label(
    left_ct: Path, models: Path, templates: Path, tmp_path: Path
) -> None:
    result = contoured(left_ct, models, settings={"templates": str(templates)})
    assert list(result) == ["Parotid_L"]
    chosen = result.document.template
    assert chosen is not None
    assert (chosen.name, chosen.rule) == ("left", "protocol_name: left")
    assert result.document.settings["label"] == "LEFT"
    rtstruct = pydicom.dcmread(result.save(tmp_path / "out")[0])
    assert rtstruct.StructureSetLabel == "LEFT"
    assert [roi.ROIName for roi in rtstruct.StructureSetROISequence] == ["Links"]
    assert list(rtstruct.ROIContourSequence[0].ROIDisplayColor) == [1, 2, 3]
    assert b"SECRET" not in result.document.as_json()


def test_the_context_chooses_and_the_call_itself_decides_last(
    ct: Path, models: Path, templates: Path
) -> None:
    settings = {"templates": str(templates)}
    by_caller = contoured(ct, models, settings=settings, context={"calling_ae": "CT1"})
    assert by_caller.document.template is not None
    assert by_caller.document.template.name == "ct1"
    assert list(by_caller) == ["Parotid_R"]
    called = contoured(
        ct, models, settings=settings, context={"calling_ae": "CT1"}, organs=["Parotid_L"]
    )
    assert list(called) == ["Parotid_L"]


def test_a_default_that_changes_nothing_keeps_the_uids(
    ct: Path, models: Path, templates: Path
) -> None:
    """The template's digest enters the UIDs where it changes a setting."""
    plain = contoured(ct, models, settings={})
    default = contoured(ct, models, settings={"templates": str(templates)})
    assert default.document.template is not None
    assert (default.document.template.name, default.document.template.rule) == ("plain", None)
    assert uid(default) == uid(plain)
    (templates / "plain.yaml").write_text("organs: all\nlabel: OTHER\n")
    other = contoured(ct, models, settings={"templates": str(templates)})
    same = contoured(ct, models, settings={"label": "OTHER"})
    (templates / "plain.yaml").rename(templates / "renamed.yaml")
    renamed = contoured(ct, models, settings={"templates": str(templates)})
    assert len({uid(one) for one in (plain, other, same, renamed)}) == 4


def test_the_folders_place_enters_nothing(ct: Path, models: Path, templates: Path) -> None:
    first = contoured(ct, models, settings={"templates": str(templates)}, organs=["Parotid_L"])
    moved = templates.rename(templates.with_name("moved"))
    second = contoured(ct, models, settings={"templates": str(moved)}, organs=["Parotid_L"])
    assert uid(first) == uid(second)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("rules: [{station: never}]\norgans: [Parotid]\n", "template bad: .*'Parotid'"),
        ("rules: [{station: never}]\norgans: []\n", "template bad: no organ is requested"),
        ("rules: [{station: never}]\nprofile: acme\n", "template bad: .*profile 'acme'"),
        ("rules: [{station: never}]\nlabel: Ünwahr\n", "template bad: .*label"),
        (
            "rules: [{station: never}]\nrois: {names: {Parotid_L: X, Parotid_R: x}}\n",
            "template bad: .*both named",
        ),
        ("rules: [{station: never}]\nprecedence: [Nose]\n", "template bad: .*'Nose'"),
    ],
)
def test_a_fault_in_any_template_ends_the_run_before_the_ct_is_read(
    models: Path, templates: Path, tmp_path: Path, text: str, complaint: str
) -> None:
    (templates / "bad.yaml").write_text(text)
    empty = tmp_path / "no ct"
    empty.mkdir()
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        contoured(empty, models, settings={"templates": str(templates)})
    assert caught.value.code == "TEMPLATES"


def test_a_refused_study_names_no_template(models: Path, templates: Path, tmp_path: Path) -> None:
    empty = tmp_path / "no ct"
    empty.mkdir()
    with pytest.raises(Refusal):
        contoured(empty, models, settings={"templates": str(templates)})
    config = tmp_path / "app.yaml"
    config.write_text("templates: templates\n")
    words = ["segment", empty, "-o", tmp_path / "out", "-m", models, "-c", config, "--quiet"]
    assert main([str(word) for word in words]) == 3
    assert json.loads((tmp_path / "out" / "result.json").read_text())["template"] is None


def test_the_application_takes_the_template_that_the_command_takes(
    left_ct: Path, models: Path, templates: Path, tmp_path: Path
) -> None:
    config = tmp_path / "app.yaml"
    config.write_text("templates: templates\nthreads: 1\n")
    ran = app(
        *("-i", left_ct, "-o", tmp_path / "app", "-m", models, "-c", config, "--quiet"),
        environment=clean_environment(SOURCE_DATE_EPOCH=EPOCH),
    )
    assert ran.returncode == 0, ran.stderr
    saved = contoured(left_ct, models, settings=config).save(tmp_path / "api")
    for path in saved[:-1]:
        assert path.read_bytes() == (tmp_path / "app" / path.name).read_bytes()
    documents = [json.loads((tmp_path / n / "result.json").read_text()) for n in ("app", "api")]
    assert documents[0]["template"] == documents[1]["template"]
    by_caller = app(
        *("-i", left_ct, "-o", tmp_path / "ct1", "-m", models, "--quiet"),
        *("--templates", templates, "--context", "calling_ae=CT1"),
    )
    assert by_caller.returncode == 0, by_caller.stderr
    document = json.loads((tmp_path / "ct1" / "result.json").read_text())
    assert (document["template"]["name"], document["template"]["rule"]) == (
        "ct1",
        "context calling_ae: CT1",
    )
    wrong = app("-i", left_ct, "-o", tmp_path / "no", "-m", models, "--context", "x")
    assert wrong.returncode == 2
    assert "oarflow: CONTEXT: " in wrong.stderr


def test_each_study_gets_its_own_template(
    ct: Path, left_ct: Path, models: Path, templates: Path, tmp_path: Path
) -> None:
    words = ["segment", ct, left_ct, "-o", tmp_path / "out", "-m", models, "--quiet"]
    words += ["--templates", templates, "--each-study"]
    assert main([str(word) for word in words]) == 0
    results = [json.loads(path.read_text()) for path in (tmp_path / "out").rglob("result.json")]
    found = {one["template"]["name"]: [o["name"] for o in one["organs"]] for one in results}
    assert found == {"left": ["Parotid_L"], "plain": ["Parotid_L", "Parotid_R"]}
