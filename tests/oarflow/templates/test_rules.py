"""Rules of templates: when one fits, what they say where it does not, and the context."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from oarflow.errors import ConfigurationError
from oarflow.templates.rules import HEADER_KEYWORDS, TemplateFacts, TemplateRule, context_of

LARYNX = TemplateFacts(
    {"protocol_name": "RT Larynx SECRET", "station": "CT-A", "body_part": None},
    {"calling_ae": "CT1"},
)


def unmet(**conditions: Any) -> tuple[str, ...]:
    return TemplateRule.model_validate(conditions).unmet(LARYNX)


@pytest.mark.parametrize(
    "conditions",
    [
        {"protocol_name": "larynx"},
        {"protocol_name": "LARYNX", "station": "^ct-[ab]$"},
        {"context": {"calling_ae": "ct?"}},
        {"protocol_name": "rt", "context": {"calling_ae": "CT1"}},
        {"series_description": "^$"},
    ],
)
def test_a_rule_fits_where_all_conditions_hold(conditions: dict[str, Any]) -> None:
    assert unmet(**conditions) == ()


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"protocol_name": "brain"}, ("protocol_name does not match",)),
        ({"series_description": "x"}, ("series_description is empty",)),
        ({"body_part": "neck"}, ("body_part differs between the slices",)),
        ({"body_part": "^$"}, ("body_part differs between the slices",)),
        ({"context": {"calling_ae": "CT"}}, ("context calling_ae does not match",)),
        ({"context": {"called_ae": "*"}}, ("context called_ae is not given",)),
        (
            {"protocol_name": "brain", "station": "ct", "context": {"site": "A"}},
            ("protocol_name does not match", "context site is not given"),
        ),
    ],
)
def test_what_fails_is_named_without_the_header(
    conditions: dict[str, Any], expected: tuple[str, ...]
) -> None:
    found = unmet(**conditions)
    assert found == expected
    assert "SECRET" not in " ".join(found)


def test_facts_are_not_printed() -> None:
    assert "SECRET" not in repr(LARYNX)


@pytest.mark.parametrize(
    ("conditions", "complaint"),
    [
        ({}, "a rule needs a condition"),
        ({"context": {}}, "a rule needs a condition"),
        ({"protocol_name": "(a+)+"}, "nested repetitions"),
        ({"protocol_name": 7}, "protocol_name"),
        ({"protocolname": "x"}, "protocolname"),
        ({"context": {"Calling AE": "x"}}, "context"),
        ({"context": {"calling_ae": ""}}, "context.calling_ae"),
    ],
)
def test_what_is_no_rule(conditions: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        TemplateRule.model_validate(conditions)


def test_every_header_key_is_a_condition() -> None:
    assert set(TemplateRule.model_fields) == {*HEADER_KEYWORDS, "context"}


def test_context_of_name_value_pairs() -> None:
    assert context_of(["calling_ae=CT=1", "purpose="]) == {"calling_ae": "CT=1", "purpose": ""}


@pytest.mark.parametrize(
    ("pairs", "complaint"),
    [
        (["calling_ae"], "write name=value"),
        (["Calling=1"], "write name=value"),
        (["a=1", "a=2"], "a is given twice"),
        (["a=" + "x" * 65], "more than 64 characters"),
    ],
)
def test_a_wrong_context_is_a_configuration_error(pairs: list[str], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        context_of(pairs)
    assert caught.value.code == "CONTEXT"
