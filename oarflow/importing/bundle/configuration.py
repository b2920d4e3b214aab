"""A bundle's configuration: constants and references, followed without evaluating anything.

MONAI's own parser imports what `_target_` names and evaluates what begins with `$`. Here,
`_target_` is a name to compare with lists, `@` leads to another value, and a value that begins with
`$` is refused where it is needed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from oarflow.importing.errors import NotImportedError
from oarflow.importing.known import shown
from oarflow.importing.numbers import part

TARGET = "_target_"
DESCRIPTION = "_desc_"
DISABLED = "_disabled_"

REFERENCE = re.compile(r"@\w+(?:(?:#|::)\w+)*")
SEPARATOR = re.compile("#|::")
CLASS = re.compile(r"(?:monai\.(?:\w+\.)*)?(\w+)")

MOST_DEPTH = 30
MOST_VALUES = 20_000
"""Most values that one entry may lead to. The configurations of MONAI's model zoo have hundreds."""

WRITE_OUT = "write its value into a copy of the bundle's configuration"
OTHERWISE = "contour with MONAI instead"


@dataclass(frozen=True)
class Configuration:
    """The entries of a bundle's configuration by their keys, as written."""

    entries: Mapping[str, Any]

    def component(self, key: str) -> Component:
        """An entry with a class. Raises NotImportedError."""
        if key not in self.entries:
            raise NotImportedError(
                f"the configuration has no {key}: add it to a copy of the bundle, or {OTHERWISE}"
            )
        return self.component_of(key, self.entries[key])

    def component_of(self, place: str, value: Any) -> Component:
        """A class with its arguments. place: for messages. Raises NotImportedError."""
        found = part(place, self.followed(place, value), dict)
        name = CLASS.fullmatch(str(found.get(TARGET)))
        if name is None:
            raise NotImportedError(
                f"{place} names {shown(found.get(TARGET))}, which is no class of MONAI: {OTHERWISE}"
            )
        if found.get(DISABLED, False) is not False:
            raise NotImportedError(f"{place} has {DISABLED}: remove {name[1]} instead")
        given = {key: found[key] for key in found if key not in (TARGET, DESCRIPTION, DISABLED)}
        return Component(f"{place}: {name[1]}", name[1], given, self)

    def plain(self, place: str, value: Any) -> Any:
        """A value with its references replaced. Raises NotImportedError at any expression."""
        return self._plain(place, value, [MOST_VALUES])

    def _plain(self, place: str, value: Any, left: list[int]) -> Any:
        value = self.followed(place, value)
        left[0] -= 1
        if left[0] < 0:
            raise NotImportedError(f"{place} leads to more than {MOST_VALUES} values: {WRITE_OUT}")
        if isinstance(value, dict):
            return {key: self._plain(place, inner, left) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._plain(place, inner, left) for inner in value]
        return value

    def followed(self, place: str, value: Any) -> Any:
        """What a reference leads to, or the value itself."""
        for _ in range(MOST_DEPTH):
            if not isinstance(value, str) or value[:1] not in ("@", "$", "%"):
                return value
            if value[0] == "$":
                raise NotImportedError(
                    f"{place} is the Python expression {shown(value)}, which OARflow does not"
                    f" evaluate: {WRITE_OUT}"
                )
            if value[0] == "%" or not REFERENCE.fullmatch(value):
                raise NotImportedError(
                    f"{place} is {shown(value)}, a reference that OARflow does not follow:"
                    f" {WRITE_OUT}"
                )
            value = self._entry(place, value)
        raise NotImportedError(f"{place} refers to itself: {WRITE_OUT}")

    def _entry(self, place: str, reference: str) -> Any:
        current: Any = self.entries
        for number, key in enumerate(SEPARATOR.split(reference[1:])):
            if number and isinstance(current, str) and current[:1] in ("@", "$", "%"):
                raise NotImportedError(
                    f"{place}: {shown(reference)} leads through {shown(current)}: {WRITE_OUT}"
                )
            if isinstance(current, dict) and key in current:
                current = current[key]
            elif isinstance(current, list) and key.isdecimal() and int(key) < len(current):
                current = current[int(key)]
            else:
                raise NotImportedError(
                    f"{place} refers to {shown(reference)}, which does not exist: {WRITE_OUT}"
                )
        return current


@dataclass(frozen=True)
class Component:
    """A class that a configuration names, with its arguments as written.

    place: where it stands, for messages. name: of the class, without its module.
    """

    place: str
    name: str
    arguments: Mapping[str, Any]
    configuration: Configuration

    def allow(self, known: Collection[str], ignored: Collection[str] = ()) -> None:
        """Refuse every other argument. ignored: arguments that do not change labels."""
        strange = sorted(set(self.arguments) - set(known) - set(ignored))
        if strange:
            raise NotImportedError(
                f"{self.place} has the argument {shown(strange[0])}, which OARflow does not know:"
                f" remove it from a copy of the bundle if its default fits, or {OTHERWISE}"
            )

    def value(self, key: str, default: Any = None) -> Any:
        """An argument's plain value. A list of one item stands for the item, as in MONAI."""
        if key not in self.arguments:
            return default
        found = self.configuration.plain(self.named(key), self.arguments[key])
        return found[0] if isinstance(found, list) and len(found) == 1 else found

    def fixed(self, key: str, *allowed: Any) -> Any:
        """An argument that must have one of these values; the first one is MONAI's default."""
        found = self.value(key, allowed[0])
        if any(found == value and type(found) is type(value) for value in allowed):
            return found
        choice = " or ".join(map(repr, allowed))
        raise NotImportedError(
            f"{self.named(key)} is {shown(found)}; OARflow does only {choice}: {OTHERWISE}"
        )

    def named(self, key: str) -> str:
        """An argument's place, for messages."""
        return f"{self.place}.{key}"

    def refuse(self, reason: str, remedy: str = OTHERWISE) -> NotImportedError:
        """An error that names the class."""
        return NotImportedError(f"{self.place} {reason}: {remedy}")


def steps(configuration: Configuration, key: str) -> list[Component]:
    """The transforms of an entry that is a Compose. Raises NotImportedError."""
    compose = configuration.component(key)
    if compose.name != "Compose":
        raise compose.refuse("is no Compose")
    compose.allow(("transforms", "lazy"))
    compose.fixed("lazy", False, None)
    place = compose.named("transforms")
    listed = configuration.followed(place, compose.arguments.get("transforms"))
    return [configuration.component_of(key, item) for item in part(place, listed, list)]
