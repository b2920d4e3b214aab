"""The card of a rule: model.json without a network beside it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError, model_validator

from oarflow.errors import ConfigurationError
from oarflow.json_files import JsonError, parse_json
from oarflow.networks.card import CARD_NAME, Role, Strict
from oarflow.rules.known import ORGANS, source_digest
from oarflow.settings_files import explain

if TYPE_CHECKING:
    from oarflow.structures import ModelIdentity


class RuleCard(Strict):
    """model.json of a rule.

    rule: the program's name of the rule. organs: those that it contours. on_request: whether
    `organs: all` leaves them out. version: of the card.
    """

    schema_version: Literal[1] = 1
    name: str
    version: str
    role: Literal[Role.RULE]
    rule: str
    organs: tuple[str, ...] = Field(min_length=1)
    on_request: bool = False
    note: str = ""

    @model_validator(mode="after")
    def _is_known(self) -> RuleCard:
        known = ORGANS.get(self.rule)
        if known is None:
            raise ValueError(f"unknown rule {self.rule!r}; choose from {', '.join(ORGANS)}")
        if other := [organ for organ in self.organs if organ not in known]:
            raise ValueError(f"the rule {self.rule!r} does not contour {', '.join(other)}")
        return self

    @cached_property
    def sha256(self) -> str:
        """SHA-256 (hex) of the program's source files of all rules and of this card."""
        return hashlib.sha256((source_digest() + self.model_dump_json()).encode()).hexdigest()

    @property
    def identity(self) -> ModelIdentity:
        """The rule's identity for files and result.json."""
        from oarflow.structures import ModelIdentity

        return ModelIdentity(self.name, self.version, self.sha256, rule=True)


def is_rule(path: Path) -> bool:
    """Whether a card is a rule's. False for a card that cannot be read."""
    try:
        content = parse_json(path.read_bytes())
    except (OSError, JsonError):
        return False
    return isinstance(content, dict) and content.get("role") == Role.RULE


def read_rules(folder: Path) -> dict[str, RuleCard]:
    """The cards of all rules in a models folder, by the name of their folder.

    Raises ConfigurationError: MODEL_CARD, MODEL_CLASH (two rules for one organ).
    """
    paths = sorted(filter(is_rule, folder.glob(f"*/{CARD_NAME}")))
    cards = {path.parent.name: _read(path) for path in paths}
    seen: dict[str, str] = {}
    for name, card in cards.items():
        for organ in card.organs:
            if (first := seen.setdefault(organ, name)) != name:
                raise ConfigurationError(
                    "MODEL_CLASH", f"both {first} and {name} are rules for {organ}"
                )
    return cards


def _read(path: Path) -> RuleCard:
    try:
        return RuleCard.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ConfigurationError("MODEL_CARD", f"{path}: {explain(error, RuleCard)}") from error
