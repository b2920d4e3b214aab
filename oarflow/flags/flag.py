"""A flag: one reason to doubt a contour or a study, for people and for programs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from oarflow.flags.codes import FlagCode, Scope
from oarflow.flags.definition import Value
from oarflow.flags.table import FLAGS

DECIMALS = 4
"""Number of decimals of a flag's figures."""


@dataclass(frozen=True)
class Flag:
    """One flag. `Flag.of` makes it from its code and figures."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    code: FlagCode
    """The flag's code."""
    scope: Scope
    """Whether it concerns one organ or the whole study."""
    message: str
    """One sentence for people, with the value that matters."""
    values: Mapping[str, str | int | float | list[str] | list[float]]
    """All values by name. Units are part of the names (`volume_cc`, `limit_mm`). Shares and Dice
    are 0 to 1."""

    @classmethod
    def of(cls, code: FlagCode, **values: Value) -> Flag:
        """The flag of a code with the values of its definition.

        Raises ValueError where a value is missing or not in the definition.
        """
        definition = FLAGS[code]
        if values.keys() != definition.example.keys():
            expected = ", ".join(definition.example)
            raise ValueError(f"{code} has values {expected or 'none'}, not {', '.join(values)}")
        plain = {name: _plain(value) for name, value in values.items()}
        return cls(code, definition.scope, _filled(definition.message, plain), plain)

    @property
    def short(self) -> str:
        """A clause for the region's description in a planning system."""
        return _filled(FLAGS[self.code].short, self.values)

    @property
    def brief(self) -> str:
        """The code and the figure that matters most."""
        return f"{self.code} {_filled(FLAGS[self.code].figure, self.values)}".rstrip()


def _plain(value: Value) -> str | int | float | list[str] | list[float]:
    """The value for JSON, with rounded numbers."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Sequence):
        texts = [str(one) for one in value if isinstance(one, str)]
        return texts or [_rounded(one) for one in value if not isinstance(one, str)]
    return value if isinstance(value, int) else _rounded(value)


def _rounded(value: float) -> float:
    return round(float(value), DECIMALS) + 0.0


def _filled(template: str, values: Mapping[str, object]) -> str:
    """The template with the values; lists are joined by commas.

    A figure and its limit that would read the same get more digits.
    """
    shown = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in values.items()
    }
    for _ in range(DECIMALS):
        if not _reads_the_same(template, shown):
            break
        template = _FLOAT.sub(_finer, template)
    return template.format(**shown)


_FLOAT = re.compile(r"\{(\w+):\.(\d)([f%])\}")
"""A placeholder of a number with its digits."""


def _finer(field: re.Match[str]) -> str:
    name, digits, kind = field.groups()
    return f"{{{name}:.{int(digits) + 1}{kind}}}"


def _reads_the_same(template: str, values: Mapping[str, Any]) -> bool:
    """Whether a figure of the template is not its limit, and is shown as if it were."""
    shown = {
        field[1]: (values[field[1]], field[0].format(**values))
        for field in _FLOAT.finditer(template)
    }
    limits = [pair for name, pair in shown.items() if name.startswith("limit")]
    figures = [pair for name, pair in shown.items() if not name.startswith("limit")]
    return any(a[0] != b[0] and a[1] == b[1] for a in figures for b in limits)
