"""The rules by name."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.rules.chest import chest
from oarflow.rules.external import external
from oarflow.rules.rule import ContourRule
from oarflow.rules.skin import skin

RULES: Mapping[str, ContourRule] = {"external": external, "chest": chest, "skin": skin}
"""By the name that a card gives. `oarflow.rules.known` lists their organs."""
