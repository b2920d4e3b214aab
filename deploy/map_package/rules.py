"""The parts of a rule, and functions that read a manifest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from deploy.map_package.targets import Target

APP = "etc/holoscan/app.json"
PKG = "etc/holoscan/pkg.json"
MONAI_APP = "etc/monai/app.json"

SEMVER = re.compile(r"\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")
SIZE = re.compile(r"\d+(\.\d)?(Mi|Gi)")

Complaints = Sequence[str] | None
"""What is wrong, in words; empty where nothing is; None where the target does not show it."""


class Compliance(StrEnum):
    """The outcome of a rule."""

    MET = "met"
    VIOLATED = "violated"
    WARNING = "warning"
    UNKNOWN = "not visible"
    BY_RUN = "shown by running"


@dataclass(frozen=True)
class PackageRule:
    """One requirement. check: None where only running the package, or its host, can show it."""

    id: str
    level: Literal["must", "should"]
    text: str
    check: Callable[[Target], Complaints] | None
    how: str = ""


@dataclass(frozen=True)
class RuleResult:
    """A rule's outcome."""

    rule: PackageRule
    state: Compliance
    detail: str


def manifest(target: Target, path: str) -> Mapping[str, Any]:
    """A manifest; empty where it is absent or no JSON object (rules F3 and R4 say so)."""
    try:
        document = json.loads(target.text(path) or "null")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def value(document: Mapping[str, Any], dotted: str) -> Any:
    """The value at a dotted path; None where there is none."""
    found: Any = document
    for part in dotted.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def unless(holds: bool, complaint: str) -> Complaints:
    """A complaint unless something holds."""
    return () if holds else (complaint,)


def is_semver(found: object) -> bool:
    return isinstance(found, str) and bool(SEMVER.fullmatch(found))
