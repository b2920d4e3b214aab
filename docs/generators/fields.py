"""Fields of pydantic models and dataclasses as tables: allowed values, defaults, meanings."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import annotated_types
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from oarflow import docstrings

REQUIRED = object()
"""In place of a default, where there is none."""

SECTION = object()
"""In place of a default that the table does not show."""

PATTERNS = {
    r"^[0-9a-f]{64}$": "SHA-256",
    r"^https?://": "URL",
    r"^https?://[^@\s]+$": "URL",
    r"^[\x20-\x5b\x5d-\x7e]+$": "AE title",
    r"^[a-z0-9][a-z0-9_-]{0,31}$": "name of a destination",
    r"^[A-Za-z0-9/:-]+$": "GPU",
}
"""What a text of a pattern is called."""

SECTION_NAME = r"^(The|An entry of the) section `\w+`(: )?"

MANY = 9
"""An enumeration of more members is called a code."""

PLURALS = {
    "value": "values",
    "path": "paths",
    "section": "sections",
    "whole number": "whole numbers",
    "number": "numbers",
    "GPU": "GPUs",
    "name of a destination": "names of destinations",
}


@dataclass(frozen=True)
class Row:
    """One field. default: REQUIRED where there is none."""

    name: str
    values: str
    default: Any
    meaning: str


def rows(owner: type) -> list[Row]:
    """The fields of a pydantic model or dataclass.

    Raises KeyError for a field that neither has a docstring nor is a section.
    """
    if issubclass(owner, BaseModel):
        meanings, found = _section_meanings(owner), _model_fields(owner)
    else:
        meanings, found = {}, _dataclass_fields(owner)
    meanings |= docstrings.of_fields(owner)
    return [Row(name, values, default, meanings[name]) for name, values, default in found]


def _section_meanings(owner: type[BaseModel]) -> dict[str, str]:
    """What each section of a model is for, from the first line of its docstring."""
    return {
        name: about(model).partition("\n")[0] or f"Keys of `{name}`."
        for name, field in owner.model_fields.items()
        for _, model in _models(field.annotation)
    }


def about(model: type) -> str:
    """What a section is for: its docstring without the section's name."""
    text = re.sub(SECTION_NAME, "", inspect.getdoc(model) or "").lstrip(".")
    return text[:1].upper() + text[1:]


def _model_fields(owner: type[BaseModel]) -> Iterator[tuple[str, str, Any]]:
    for name, field in owner.model_fields.items():
        required = field.is_required()
        default = REQUIRED if required else field.get_default(call_default_factory=True)
        yield name, values(field.annotation, field.metadata), default


def _dataclass_fields(owner: type) -> Iterator[tuple[str, str, Any]]:
    hints = get_type_hints(owner)
    for field in dataclasses.fields(owner):
        missing = field.default is dataclasses.MISSING
        yield field.name, values(hints[field.name]), REQUIRED if missing else field.default


def values(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """The allowed values of a field in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values(inner[0], [*metadata, *_flat(inner[1:])])
    if origin in (Union, types.UnionType):
        return _any_of(inner, metadata)
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inner)
    if origin in (tuple, list, Sequence):
        return _several(inner)
    if origin in (dict, Mapping):
        return _by_name(_plural(values(inner[1])))
    return _plain(annotation, metadata)


def _any_of(inner: Sequence[Any], metadata: Sequence[Any]) -> str:
    several = [values(one, metadata) for one in inner if one is not types.NoneType]
    words = list(dict.fromkeys(several)) + ["null"] * (types.NoneType in inner)
    return ", or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _several(inner: Sequence[Any]) -> str:
    if (len(inner) == 2 and inner[1] is Ellipsis) or len(inner) == 1:
        return f"list of {_plural(values(inner[0]))}"
    one = values(inner[0])
    return f"{len(inner)} times {one}" if one[0].isdigit() else f"{len(inner)} {_plural(one)}"


def _by_name(words: str) -> str:
    if ", or " in words:
        return f"by name: {words}"
    kind, comma, bounds = words.partition(",")
    return f"{kind} by name{comma}{bounds}"


SIMPLE = {bool: "true, false", int: "whole number", float: "number", Path: "path"}


def _plain(kind: Any, metadata: Sequence[Any]) -> str:
    if kind in SIMPLE:
        return SIMPLE[kind] + _bounds(metadata)
    if kind is str:
        return next((PATTERNS[p] for p in map(_pattern, metadata) if p), "text")
    if isinstance(kind, type) and issubclass(kind, Enum):
        members = [f"`{one.value}`" for one in kind]
        return ", ".join(members) if len(members) <= MANY else "code"
    if isinstance(kind, type) and (issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind)):
        return "section"
    return "value"


def _plural(words: str) -> str:
    """Values in the plural: `whole numbers, 0 to 255`."""
    for one, several in PLURALS.items():
        if words == one or words.startswith(f"{one},"):
            return several + words[len(one) :]
    return words


def _pattern(constraint: Any) -> str | None:
    return getattr(constraint, "pattern", None)


def _flat(metadata: Sequence[Any]) -> Iterator[Any]:
    for one in metadata:
        yield from one.metadata if isinstance(one, FieldInfo) else (one,)


def _bounds(metadata: Sequence[Any]) -> str:
    least = next((one.ge for one in metadata if isinstance(one, annotated_types.Ge)), None)
    above = next((one.gt for one in metadata if isinstance(one, annotated_types.Gt)), None)
    most = next((one.le for one in metadata if isinstance(one, annotated_types.Le)), None)
    if least is not None and most is not None:
        return f", {least} to {most}"
    said = [f"at least {least}"] if least is not None else []
    said += [f"above {above}"] if above is not None else []
    said += [f"at most {most}"] if most is not None else []
    return "".join(f", {words}" for words in said)


def default_text(default: Any) -> str:
    """A default as YAML has it."""
    if default is REQUIRED:
        return "required"
    if default is SECTION or isinstance(default, BaseModel) or _holds_models(default):
        return ""
    plain = _as_yaml(default)
    text = yaml.safe_dump(plain, default_flow_style=True, width=1000).removesuffix("...\n").strip()
    return f"`{text}`".replace("|", "\\|")


def _holds_models(default: Any) -> bool:
    return isinstance(default, tuple) and any(isinstance(one, BaseModel) for one in default)


def _as_yaml(default: Any) -> Any:
    if isinstance(default, Enum):
        return default.value
    if isinstance(default, Path):
        return str(default)
    return list(default) if isinstance(default, tuple) else default


def sections(owner: type[BaseModel], place: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every model below a model with its place: `rois`, `listener.allow[]`, `pull.NAME`."""
    yield place, owner
    for name, field in owner.model_fields.items():
        for suffix, model in _models(field.annotation):
            yield from sections(model, ".".join(filter(None, (place, name + suffix))))


def _models(annotation: Any, suffix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield suffix, annotation
    elif origin in (dict, Mapping):
        yield from _models(inner[1], ".NAME")
    elif origin is tuple:
        yield from _models(inner[0], "[]")
    elif origin in (Annotated, Union, types.UnionType):
        for one in inner:
            yield from _models(one, suffix)
