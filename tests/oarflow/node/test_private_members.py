"""The node uses what other packages document, and nothing that they may change without a word."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

NODE = Path(__file__).resolve().parents[3] / "oarflow" / "node"
DOCUMENTED = {"os._exit", "pynetdicom._config"}
"""Underscored, and in the documentation all the same."""


def private(source: str) -> Iterator[str]:
    """Private attributes of anything but self and cls, and private names that are imported."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in names if any(map(is_private, name.split("."))))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@pytest.mark.parametrize(
    "source", ["association._kill = True", "super()._send(pdu)", "from pydicom._uid_dict import X"]
)
def test_a_private_member_is_found(source: str) -> None:
    assert len(list(private(source))) == 1


def test_no_private_member_of_another_package_is_used() -> None:
    modules = sorted(NODE.rglob("*.py"))
    assert len(modules) > 50
    found = {
        (str(path.relative_to(NODE)), name)
        for path in modules
        for name in private(path.read_text(encoding="utf-8"))
        if name not in DOCUMENTED
    }
    assert found == set()
