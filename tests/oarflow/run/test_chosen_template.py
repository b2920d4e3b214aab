"""`oarflow config templates`: the list, and why a template is taken, without patient data."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.commands import main
from tests.app.workbench import write_ct

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "left.yaml").write_text(
        "about: the left side\norder: 7\nrules: [{protocol_name: left, station: CT}]\n"
        "organs: [Parotid_L]\n"
    )
    (folder / "ct1.yaml").write_text(
        "rules: [{context: {calling_ae: CT1}}, {study_description: neck}]\nlabel: CT1\n"
    )
    return folder


def said(capsys: Capture, status: int, *words: object) -> str:
    assert main(["config", "templates", *map(str, words)]) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def test_the_list_has_the_order_of_trial(models: Path, templates: Path, capsys: Capture) -> None:
    (templates / "a_default.yaml").write_text("organs: all")
    lines = said(capsys, 0, "-m", models, "--templates", templates).splitlines()
    assert lines[0] == f"templates of {templates}"
    rows = [line.split() for line in lines]
    names = [row[0] for row in rows if row and row[0] in ("a_default", "ct1", "left")]
    assert names == ["ct1", "left", "a_default"]
    left = next(line for line in lines if line.split()[:1] == ["left"])
    assert left.split()[1] == "7"
    assert "protocol_name: left; station: CT" in left
    assert "the left side" in left


def test_without_templates_the_list_says_so(models: Path, capsys: Capture) -> None:
    assert said(capsys, 0, "-m", models).startswith("no templates are in force")


def test_the_choice_for_a_ct_is_explained(
    ct: Path, models: Path, templates: Path, tmp_path: Path, capsys: Capture
) -> None:
    tags = {"ProtocolName": "LEFT SECRET", "StationName": "MR", "PatientID": "SECRETID"}
    left = write_ct(tmp_path / "left", tags=tags)
    words = ("-m", models, "--templates", templates, "--for", left)
    lines = said(capsys, 0, *words).splitlines()
    assert lines == [
        "taken: none, because no rule fits and there is no default",
        "  ct1: rule 1 fails: context calling_ae is not given",
        "  ct1: rule 2 fails: study_description is empty",
        "  left: rule 1 fails: station does not match",
    ]
    lines = said(capsys, 0, *words, "--context", "calling_ae=ct1").splitlines()
    assert lines[0] == "taken: ct1, by the rule context calling_ae: CT1"
    assert lines[1] == "  ct1: rule 1 fits"
    assert "SECRET" not in "\n".join(lines)
    (templates / "plain.yaml").write_text("organs: all")
    lines = said(capsys, 0, *words).splitlines()
    assert lines[0] == "taken: plain, the default, because no rule fits"
    assert lines[-1] == "  plain: default"


def test_what_cannot_be_explained(
    models: Path, templates: Path, tmp_path: Path, capsys: Capture
) -> None:
    words = ("-m", models, "--templates", templates, "--for")
    assert "NO_INPUT" in said(capsys, 2, *words, tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    assert "NO_FILES" in said(capsys, 3, *words, tmp_path / "empty")
    (templates / "bad.yaml").write_text("rules: [{station: x}]\norgans: [Nose]")
    assert "oarflow: TEMPLATES: template bad: unknown organ 'Nose'" in said(
        capsys, 2, "-m", models, "--templates", templates
    )
