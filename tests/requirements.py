"""What pyproject.toml declares, what an installation of it holds, and what code imports."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_architecture import Imports, ours

ROOT = Path(__file__).resolve().parents[1]


def project() -> dict[str, Any]:
    """The table `project` of pyproject.toml."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(document["project"])


def declared(*extras: str) -> list[Requirement]:
    """The core's requirements and those of extras, extras of extras included."""
    table = project()
    found = [Requirement(line) for line in table["dependencies"]]
    waiting = list(extras)
    while waiting:
        for line in table["optional-dependencies"][waiting.pop()]:
            one = Requirement(line)
            if one.name == table["name"]:
                waiting += one.extras
            else:
                found.append(one)
    return found


def installed_with(requirements: Iterable[Requirement]) -> set[str]:
    """Normalised names of these packages and of what they require.

    Packages that this interpreter lacks are named without their requirements.
    """
    seen: set[tuple[str, str]] = set()
    waiting = [(one.name, extra) for one in requirements for extra in (*one.extras, "")]
    while waiting:
        key = (canonicalize_name((pair := waiting.pop())[0]), pair[1])
        if key in seen:
            continue
        seen.add(key)
        try:
            lines = metadata.requires(key[0]) or ()
        except metadata.PackageNotFoundError:
            continue
        for one in map(Requirement, lines):
            if one.marker is None or one.marker.evaluate({"extra": key[1]}):
                waiting += [(one.name, extra) for extra in (*one.extras, "")]
    return {name for name, _ in seen}


def reached(imports: Imports, starts: Iterable[str]) -> set[str]:
    """Every module, of the tree and of others, that these modules import by whatever way."""
    return {name for start in starts for name in imports.reached(start, imports.every)}


def others(modules: Iterable[str]) -> set[str]:
    """Top-level names of other people's packages among modules."""
    tops = {name.partition(".")[0] for name in modules if name and not ours(name)}
    return tops - set(sys.stdlib_module_names) - {"_typeshed"}


def lacking(imported: Iterable[str], packages: set[str]) -> set[str]:
    """Those of the imported top-level names that none of the packages brings."""
    brought_by = metadata.packages_distributions()
    return {
        name
        for name in imported
        if not {canonicalize_name(one) for one in brought_by.get(name, ())} & packages
    }
