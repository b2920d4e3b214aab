"""What a rule is given and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from oarflow.flags.flag import Flag
from oarflow.structures import Localization, ProbabilityField, Side, Status
from oarflow.volume import Volume

Neighbour = Callable[[str], ProbabilityField | None]
"""The contour of another organ by its name; None where it has none."""


@dataclass(frozen=True)
class RuleOptions:
    """What a site decides about rules.

    fill_cavities: whether External contains its air cavities. skin_mm: thickness of Skin.
    """

    fill_cavities: bool = True
    skin_mm: float = 5.0


DEFAULT_OPTIONS = RuleOptions()


@dataclass(frozen=True, eq=False)
class RuleInput:
    """One study as a rule sees it.

    localizations: by organ, of the localization networks. neighbour: contours of other organs.
    """

    volume: Volume
    localizations: Mapping[str, Localization]
    neighbour: Neighbour
    options: RuleOptions = DEFAULT_OPTIONS


@dataclass(frozen=True, eq=False)
class Outlined:
    """An organ that a rule found.

    field: probabilities with the surface at their threshold. cut: faces of the field of view that
    cut the organ. flags: reasons to doubt it. notes: remarks in words.
    """

    field: ProbabilityField
    cut: frozenset[Side] = frozenset()
    flags: tuple[Flag, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotOutlined:
    """An organ that a rule did not find: absent, or failed with the reason."""

    status: Status
    flag: Flag | None = None


ContourRule = Callable[[RuleInput], Mapping[str, Outlined | NotOutlined]]
"""Contours all its organs at once. It has no state and reads no file."""
