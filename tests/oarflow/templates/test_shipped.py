"""The shipped templates: valid, and the default says what app.yaml says."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.locations import shipped
from oarflow.organs import load_catalogue
from oarflow.run.layers import SettingsLayers, templates_change
from oarflow.templates.rules import TemplateFacts

LAYERS = SettingsLayers.read(shipped("app.yaml"), templates_change("shipped"))
TEMPLATES = LAYERS.templates()


def test_the_default_changes_no_setting() -> None:
    default = TEMPLATES.templates[-1]
    assert (default.name, default.is_default) == ("head_neck", True)
    assert LAYERS.under(default) == LAYERS.settings()


def test_every_organ_is_in_the_catalogue() -> None:
    names = set(load_catalogue(Path("models")).names)
    for template in TEMPLATES.templates:
        organs = LAYERS.under(template).organs
        assert organs == "all" or set(organs) <= names


@pytest.mark.parametrize(
    ("texts", "context", "expected"),
    [
        ({}, {}, "head_neck"),
        ({"protocol_name": "RT Head&Neck", "study_description": "Hypopharynx"}, {}, "head_neck"),
        ({"protocol_name": "RT LARYNX 2mm"}, {}, "larynx"),
        ({"study_description": "Ca. glottis"}, {}, "larynx"),
        ({"protocol_name": "RT LARYNX"}, {"purpose": "research"}, "research_all"),
        ({"series_description": "research"}, {"purpose": "clinic"}, "head_neck"),
    ],
)
def test_which_one_is_taken(texts: dict[str, str], context: dict[str, str], expected: str) -> None:
    choice = TEMPLATES.choose(TemplateFacts(texts, context))
    assert choice is not None
    assert choice.template.name == expected
