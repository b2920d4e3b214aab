"""What `doctor` says of templates before the node starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.node.doctor.results import CheckResult, CheckStatus
from oarflow.node.doctor.templates import templates
from oarflow.node.execution.application import default_command
from oarflow.node.settings import NodeSettings
from oarflow.node.settings.delivery import DeliverySettings
from tests.app.workbench import write_models
from tests.oarflow.node.node_bench import settings_at

GOOD = "rules: [{protocol_name: left}]\norgans: [Parotid_L]\n"


def settings(tmp_path: Path, **texts: str) -> NodeSettings:
    """A node with the application and these templates."""
    folder = tmp_path / "templates"
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    config = tmp_path / "app.yaml"
    config.write_text("templates: templates\n")
    execution = {
        "command": list(default_command()),
        "models": str(write_models(tmp_path / "networks")),
        "config": str(config),
    }
    return settings_at(tmp_path, execution=execution)


def findings(settings: NodeSettings) -> list[CheckResult]:
    return list(templates(settings))


def test_good_templates_are_named(tmp_path: Path) -> None:
    (found,) = findings(settings(tmp_path, left=GOOD, rest="organs: all"))
    assert (found.status, found.text) == (CheckStatus.GOOD, "left, rest")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[", "bad.yaml: line 1"),
        ("rules: [{protocol_name: x}]\norgans: [Nose]", "template bad: unknown organ 'Nose'"),
    ],
)
def test_a_faulty_template_is_bad(tmp_path: Path, text: str, reason: str) -> None:
    (found,) = findings(settings(tmp_path, left=GOOD, bad=text))
    assert found.status is CheckStatus.BAD
    assert reason in found.text
    assert "oarflow config templates" in found.remedy


def test_a_misspelt_name_of_the_context_is_doubtful(tmp_path: Path) -> None:
    rules = "rules: [{context: {caling_ae: CT1}}, {context: {purpose: research}}]\n"
    good, doubt = findings(settings(tmp_path, left=rules + "organs: [Parotid_L]\n"))
    assert good.status is CheckStatus.GOOD
    assert (doubt.status, doubt.remedy) == (CheckStatus.DOUBTFUL, "did you mean calling_ae?")


def test_an_output_that_a_template_switches_off(tmp_path: Path) -> None:
    made = settings(tmp_path, left=GOOD + "outputs: {seg: false, report_pdf: true}\n")
    share = {"kind": "folder", "path": str(tmp_path), "objects": ["RTSTRUCT", "SEG", "REPORT_PDF"]}
    delivery = DeliverySettings.model_validate({"destinations": {"share": share}})
    doubts = findings(made.model_copy(update={"delivery": delivery}))[1:]
    assert [(one.subject, one.status) for one in doubts] == [
        ("destination share", CheckStatus.DOUBTFUL)
    ]
    assert doubts[0].text == "gets SEG, which the template left switches off"


def test_without_templates_there_is_nothing_to_say(tmp_path: Path) -> None:
    made = settings(tmp_path, left=GOOD)
    (tmp_path / "app.yaml").write_text("strict: true\n")
    assert findings(made) == []
    assert findings(settings_at(tmp_path)) == []


def test_templates_of_settings_that_the_node_does_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = settings(tmp_path, left=GOOD)
    execution = made.execution.model_copy(update={"config": None})
    made = made.model_copy(update={"execution": execution})
    assert findings(made) == []
    monkeypatch.setenv("HOLOSCAN_CONFIG_PATH", str(tmp_path / "app.yaml"))
    (found,) = findings(made)
    assert found.status is CheckStatus.BAD
    assert found.remedy == "name the settings file in execution.config"
