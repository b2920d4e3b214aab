"""Which layer of the settings decides: app.yaml, the template, the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.errors import ConfigurationError
from oarflow.run.layers import SettingsLayers, templates_change
from oarflow.run.settings import Settings
from oarflow.templates.folder import parse_templates
from oarflow.templates.template import Template

FILE = """
label: SITE
strict: true
organs: [Brain]
rois: {prefix: AI_, names: {Brain: Hirn, Larynx: LX}}
outputs: {seg: true}
"""


def layers(tmp_path: Path, *changes: str, file: str = FILE) -> SettingsLayers:
    path = tmp_path / "app.yaml"
    path.write_text(file)
    return SettingsLayers.read(path, changes)


def template(text: str) -> Template:
    (one,) = parse_templates({"larynx.yaml": text}).templates
    return one


LARYNX = template("label: LARYNX\norgans: [Larynx]\nrois: {names: {Larynx: Kehlkopf}}\n")


def test_a_template_is_over_the_file_and_below_the_command_line(tmp_path: Path) -> None:
    found = layers(tmp_path, "label=RUN").under(LARYNX)
    assert (found.label, found.organs, found.strict) == ("RUN", ("Larynx",), True)


def test_sections_are_merged_key_by_key_and_lists_are_replaced(tmp_path: Path) -> None:
    found = layers(tmp_path).under(LARYNX)
    assert found.rois.prefix == "AI_"
    assert found.rois.names == {"Brain": "Hirn", "Larynx": "Kehlkopf"}
    assert found.organs == ("Larynx",)
    assert found.outputs.seg


def test_without_a_template_the_file_decides(tmp_path: Path) -> None:
    assert layers(tmp_path).settings().label == "SITE"


def test_settings_objects_are_a_layer_too() -> None:
    found = SettingsLayers.of(Settings(label="OBJECT", strict=True)).under(LARYNX)
    assert (found.label, found.strict) == ("LARYNX", True)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("organ: [Larynx]", "template larynx: unknown key 'organ'; did you mean organs"),
        ("rule: [{station: x}]", "template larynx: unknown key 'rule'; did you mean rules"),
        ("rois: {nams: {}}", "template larynx: settings: unknown key 'rois.nams'; did you mean"),
        ("strict: perhaps", "template larynx: settings: strict: "),
        ("mr: {description: '('}", "template larynx: series rules: description"),
    ],
)
def test_a_wrong_key_is_named_with_its_template(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        layers(tmp_path).under(template(text))
    assert caught.value.code == "TEMPLATES"


def test_a_relative_folder_starts_at_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "larynx.yaml").write_text("organs: [Larynx]")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert len(layers(tmp_path, file="templates: own").templates().templates) == 1
    monkeypatch.chdir(tmp_path)
    changed = layers(tmp_path, *templates_change("own"), file="templates: none_such")
    assert len(changed.templates().templates) == 1


def test_templates_can_be_shipped_or_none(tmp_path: Path) -> None:
    assert len(layers(tmp_path, file="templates: shipped").templates().templates) == 3
    off = layers(tmp_path, *templates_change("none"), file="templates: shipped")
    assert off.templates().templates == ()
    assert templates_change(None) == []
