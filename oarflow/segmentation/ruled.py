"""Organs that rules contour: status, measurements and flags, as for organs of networks."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.networks.rule_card import RuleCard
from oarflow.rules.registry import RULES
from oarflow.rules.rule import NotOutlined, Outlined, RuleInput
from oarflow.structures import Segmentation, Status

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Ruled:
    """Runs rules on one study; each rule once."""

    given: RuleInput
    _found: dict[str, Mapping[str, Outlined | NotOutlined]] = field(default_factory=dict)

    def segment(self, organ: str, card: RuleCard) -> Segmentation:
        """One organ; its own trouble ends in a status, not in an exception."""
        started = time.monotonic()
        blank = Segmentation(
            organ,
            Status.FAILED,
            model=card.identity,
            localization=self.given.localizations.get(organ),
        )
        try:
            result = self._result(blank, self._run(card)[organ])
        except Exception:
            LOGGER.exception("organ %s failed", organ)
            result = replace(blank, flags=(Flag.of(FlagCode.RULE_ERROR),))
        return replace(result, seconds=time.monotonic() - started)

    def _run(self, card: RuleCard) -> Mapping[str, Outlined | NotOutlined]:
        if card.rule not in self._found:
            self._found[card.rule] = RULES[card.rule](self.given)
        return self._found[card.rule]

    def _result(self, blank: Segmentation, found: Outlined | NotOutlined) -> Segmentation:
        if isinstance(found, NotOutlined):
            return replace(blank, status=found.status, flags=(found.flag,) if found.flag else ())
        grid = self.given.volume.grid
        cut = (Flag.of(FlagCode.FIELD_OF_VIEW, sides=sorted(found.cut)),) if found.cut else ()
        status = Status.TRUNCATED if cut else Status.SEGMENTED
        if found.flags:
            status = Status.SUSPICIOUS
        measured = replace(blank, status=status, flags=(*cut, *found.flags), notes=found.notes)
        return measured.with_field(found.field, grid)
