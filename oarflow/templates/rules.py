"""Rules on a CT's header and on the caller's context. Application and node read them here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from oarflow.errors import ConfigurationError
from oarflow.patterns import check_expression, is_found, matches_whole

HEADER_KEYWORDS = {
    "protocol_name": "ProtocolName",
    "series_description": "SeriesDescription",
    "study_description": "StudyDescription",
    "requested_procedure": "RequestedProcedureDescription",
    "body_part": "BodyPartExamined",
    "station": "StationName",
}
"""DICOM keyword of the header's text that each key of a rule reads."""

MAX_CONTEXT_VALUE = 64
"""Greatest length in characters of a value of the context."""

_CONTEXT_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


def _expression(text: str) -> str:
    check_expression(text)
    return text


Expression = Annotated[str, AfterValidator(_expression)]
ContextName = Annotated[str, Field(pattern=rf"^{_CONTEXT_NAME.pattern}$")]
ContextPattern = Annotated[str, Field(min_length=1, max_length=MAX_CONTEXT_VALUE)]


@dataclass(frozen=True)
class TemplateFacts:
    """What the rules read.

    header: texts of the CT's header by the rules' keys; None where the slices have different ones.
    context: values that the caller passes, by name.
    """

    header: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    context: Mapping[str, str] = field(default_factory=dict, repr=False)


class TemplateRule(BaseModel):
    """Conditions on a CT; all that are given must hold.

    A condition on the header is a regular expression that is searched in the text, ignoring case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    protocol_name: Expression | None = None
    """Expression for Protocol Name (0018,1030)."""
    series_description: Expression | None = None
    """Expression for Series Description (0008,103E)."""
    study_description: Expression | None = None
    """Expression for Study Description (0008,1030)."""
    requested_procedure: Expression | None = None
    """Expression for Requested Procedure Description (0032,1060)."""
    body_part: Expression | None = None
    """Expression for Body Part Examined (0018,0015)."""
    station: Expression | None = None
    """Expression for Station Name (0008,1010)."""
    context: dict[ContextName, ContextPattern] = {}
    """Patterns for values that the caller passes, such as `calling_ae`. A pattern uses `*`, `?` and
    `[ab]`, ignores case and must match the whole value."""

    @model_validator(mode="after")
    def _says_something(self) -> TemplateRule:
        if not self.conditions:
            raise ValueError("a rule needs a condition; a template without rules is the default")
        return self

    @property
    def conditions(self) -> dict[str, str]:
        """Expressions and patterns by what they read."""
        header = {key: getattr(self, key) for key in HEADER_KEYWORDS}
        found = {key: expression for key, expression in header.items() if expression is not None}
        return found | {f"context {name}": pattern for name, pattern in self.context.items()}

    @property
    def words(self) -> str:
        """The conditions in one line."""
        return "; ".join(f"{key}: {pattern}" for key, pattern in self.conditions.items())

    def unmet(self, facts: TemplateFacts) -> tuple[str, ...]:
        """The conditions that fail, in words that hold nothing of the header."""
        return (*self._unmet_header(facts), *self._unmet_context(facts))

    def _unmet_header(self, facts: TemplateFacts) -> Iterator[str]:
        for key in HEADER_KEYWORDS:
            expression = getattr(self, key)
            text = facts.header.get(key, "")
            if expression is None:
                continue
            if text is None:
                yield f"{key} differs between the slices"
            elif not is_found(expression, text):
                yield f"{key} does not match" if text else f"{key} is empty"

    def _unmet_context(self, facts: TemplateFacts) -> Iterator[str]:
        for name, pattern in self.context.items():
            if name not in facts.context:
                yield f"context {name} is not given"
            elif not matches_whole(pattern, facts.context[name]):
                yield f"context {name} does not match"


def context_of(pairs: Iterable[str]) -> dict[str, str]:
    """The context of `name=value` texts. Raises ConfigurationError CONTEXT."""
    context: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not _CONTEXT_NAME.fullmatch(name):
            raise ConfigurationError(
                "CONTEXT",
                f"--context {pair[:MAX_CONTEXT_VALUE]!r}: write name=value; a name has lower-case "
                "letters, digits and _",
            )
        if name in context:
            raise ConfigurationError("CONTEXT", f"--context {name} is given twice")
        if len(value) > MAX_CONTEXT_VALUE:
            raise ConfigurationError(
                "CONTEXT", f"--context {name}: more than {MAX_CONTEXT_VALUE} characters"
            )
        context[name] = value
    return context
