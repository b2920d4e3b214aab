"""YAML that people write: no duplicate keys, plain values only, a line number in every error.

One loader for settings, catalogue, profiles, splits, training configurations and thresholds.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 4 * 2**20
"""Greatest size of a file in bytes. The largest table of this repository has 100 kB."""

MAX_NESTING = 20
"""Deepest nesting of lists and keys. The settings need five levels."""

_MERGE = "tag:yaml.org,2002:merge"


class YamlError(ValueError):
    """The text cannot be used. The message names the line and the problem, without values."""


def read_yaml(path: Path, *, as_written: bool = False) -> Any:
    """The values of a file. Raises OSError, YamlError.

    as_written: every value stays text as written: 007, 1e3, true and null too.
    """
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise YamlError(f"larger than {MAX_BYTES // 2**20} MiB")
    try:
        return parse_yaml(content.decode("utf-8"), as_written=as_written)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlError(f"line {line}: not encoded as UTF-8") from error


def parse_yaml(text: str, *, as_written: bool = False) -> Any:
    """The values of a YAML document, None of an empty one. Raises YamlError."""
    try:
        return _parsed(text, as_written)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise YamlError(f"{place}{error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(f"line {line}: a character that YAML does not allow") from None


def _parsed(text: str, as_written: bool) -> Any:
    """By libyaml, which is ten times as fast; a fault is named by PyYAML's own parser."""
    if _FAST is not None:
        try:
            _check_structure(text, _FAST[as_written])
            return yaml.load(text, _FAST[as_written])
        except yaml.YAMLError:
            pass
    _check_structure(text, _EXACT[as_written])
    return yaml.load(text, _EXACT[as_written])


def _check_structure(text: str, loader: Any) -> None:
    """Refuse aliases and deep nesting before anything is built. Raises yaml.YAMLError."""
    depth = 0
    for event in yaml.parse(text, loader):
        if isinstance(event, yaml.AliasEvent):
            raise _error("an alias (*) is not allowed: write the value out", event.start_mark)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_NESTING:
            raise _error(f"nested deeper than {MAX_NESTING} levels", event.start_mark)


def _error(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


class _OnceEach(yaml.constructor.SafeConstructor):
    """Refuses a key that occurs twice in its mapping."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
            kind = node.tag.rpartition(":")[2]
            raise _error(f"no valid {kind}", node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[Hashable, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                raise _error("a merge key (<<) is not allowed", key_node.start_mark)
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, Hashable):
                raise _error("a key is a list or a mapping", key_node.start_mark)
            if key in lines:
                problem = f"the key {key!r:.60} is already in line {lines[key]}"
                raise _error(problem, key_node.start_mark)
            lines[key] = line
        return super().construct_mapping(node, deep)


class _AsText(yaml.resolver.Resolver):
    """Reads every value as text."""

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> str:
        plain = kind is yaml.ScalarNode
        return "tag:yaml.org,2002:str" if plain else str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]


def _loaders(parser: Any) -> tuple[type, type]:
    """Two loaders on one parser: of values, and of text as written."""
    values = type("_Loader", (_OnceEach, parser), {})
    return values, type("_TextLoader", (_AsText, _OnceEach, parser), {})


_EXACT = _loaders(yaml.SafeLoader)
_FAST = _loaders(yaml.CSafeLoader) if yaml.__with_libyaml__ else None
