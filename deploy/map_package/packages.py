"""Which Python packages the image holds, and under which licences they come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

_LONG = 60
"""Characters beyond which a licence field is the licence's text, not its name."""
_CLASSIFIER = "License :: "
_REMOVED = {"triton"}
"""What torch declares and the Dockerfile removes."""


@dataclass(frozen=True)
class Package:
    """An installed distribution."""

    name: str
    version: str
    licence: str
    home: str


def normalised(name: str) -> str:
    """A name as PEP 503 compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, metadata.Distribution]:
    """All distributions of this interpreter, by normalised name."""
    return {normalised(d.metadata["Name"]): d for d in metadata.distributions()}


def image_packages(root: Path) -> frozenset[str]:
    """Normalised names of what the image holds: image.txt, and torch with what it declares.

    Of what torch declares, what this interpreter has: CUDA libraries where its torch is for CUDA.
    """
    lines = (root / "requirements" / "image.txt").read_text(encoding="utf-8").splitlines()
    named = {normalised(line) for line in lines if line and not line.startswith("#")}
    return frozenset((named | _closure("torch")) - _REMOVED)


def _closure(name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    have = installed()
    while waiting:
        current = waiting.pop()
        if current in found or current not in have:
            continue
        found.add(current)
        for line in have[current].requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(normalised(requirement.name))
    return found


def packages(names: Iterable[str] | None = None) -> Iterator[Package]:
    """Installed packages in their order, all or those of these normalised names."""
    wanted = None if names is None else set(names)
    for name, distribution in sorted(installed().items()):
        if wanted is None or name in wanted:
            facts = distribution.metadata
            yield Package(facts["Name"], facts["Version"], _licence(facts), _home(facts))


def licence_report(found: Iterable[Package]) -> str:
    """A table for people: one line a package."""
    rows = [(package.name, package.version, package.licence, package.home) for package in found]
    rows.insert(0, ("package", "version", "licence", "home"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def only(bom: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """A CycloneDX document (JSON) reduced to its root and these packages (normalised)."""
    wanted = set(names)
    kept = [c for c in bom.get("components", ()) if normalised(c["name"]) in wanted]
    refs = {component["bom-ref"] for component in kept}
    root = bom.get("metadata", {}).get("component", {}).get("bom-ref")
    dependencies = [
        {**entry, "dependsOn": [ref for ref in entry.get("dependsOn", ()) if ref in refs]}
        for entry in bom.get("dependencies", ())
        if entry["ref"] in refs | {root}
    ]
    return {**bom, "components": kept, "dependencies": dependencies}


def _licence(facts: metadata.PackageMetadata) -> str:
    expression = _first(facts, "License-Expression")
    if expression:
        return expression
    classified = [
        line.rsplit(" :: ", 1)[-1]
        for line in facts.get_all("Classifier") or ()
        if line.startswith(_CLASSIFIER)
    ]
    if classified:
        return ", ".join(classified)
    plain = " ".join(_first(facts, "License").split())
    return plain if 0 < len(plain) <= _LONG else "see the package's licence file"


def _home(facts: metadata.PackageMetadata) -> str:
    for line in facts.get_all("Project-URL") or ():
        label, _, url = line.partition(",")
        if label.strip().lower() in {"homepage", "source", "repository", "source code"}:
            return str(url.strip())
    return _first(facts, "Home-page")


def _first(facts: metadata.PackageMetadata, key: str) -> str:
    """A field's first value; empty where the field is absent."""
    values = facts.get_all(key)
    return str(values[0]) if values else ""
