"""Settings files: YAML that a pydantic model checks. Messages name the key of each problem."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from oarflow.errors import ConfigurationError
from oarflow.yaml_files import YamlError, read_yaml

Model = TypeVar("Model", bound=BaseModel)

MOST_PROBLEMS = 8
"""How many problems a message lists."""


def read_settings(path: Path) -> dict[Any, Any]:
    """A settings file's keys and values; none of an empty file.

    Raises ConfigurationError (SETTINGS) where it cannot be read or holds anything else.
    """
    try:
        document = read_yaml(path)
    except (OSError, YamlError) as error:
        raise ConfigurationError("SETTINGS", f"{path} cannot be read: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigurationError("SETTINGS", f"{path} must hold keys and values")
    return document


def checked(model: type[Model], document: Mapping[Any, Any], named: str) -> Model:
    """Settings of a document. named: where they come from, for errors.

    Raises ConfigurationError (SETTINGS) naming the key and what is wrong.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError("SETTINGS", f"{named}: {explain(error, model)}") from error


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Every problem with its key; for an unknown key the nearest one that the model has."""
    said = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            said.append(f"unknown key {where!r}{_hint(problem['loc'], model)}")
        else:
            said.append(f"{where}: {problem['msg']}" if where else problem["msg"])
    told = list(dict.fromkeys(said))
    more = [f"and {len(told) - MOST_PROBLEMS} more"] if len(told) > MOST_PROBLEMS else []
    return "; ".join([*told[:MOST_PROBLEMS], *more])


def _hint(place: tuple[int | str, ...], model: type[BaseModel]) -> str:
    known = _keys(place[:-1], model)
    if not known:
        return ""
    near = difflib.get_close_matches(str(place[-1]), known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"


def _keys(section: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """Keys of a section; none where the way leads through a list or a table of names."""
    for part in section:
        inner = model.model_fields.get(str(part))
        annotation = inner.annotation if inner else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
