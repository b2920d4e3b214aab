"""The application as a user runs it: its own process, files in, files out."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oarflow.errors import Fault
from oarflow.locations import PACKAGE, ROOT, shipped
from oarflow.networks.card import CARD_NAME
from oarflow.networks.rule_card import read_rules
from oarflow.result import ResultDocument, read_document

OFFLINE = frozenset({"datasets", "training", "evaluation", "node", "importing"})
"""Folders of `oarflow` that contouring does not use."""


class RunError(Fault):
    """The application wrote no result that can be read."""


@dataclass(frozen=True)
class ModelFile:
    """The card of a network or rule in short. organs: that it contours; none for localizers."""

    folder: str
    name: str
    version: str
    sha256: str
    organs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """One finished run. rtstruct: None where none was delivered."""

    result: ResultDocument
    rtstruct: Path | None


def run_application(
    ct: Path, out: Path, models: Path, flags: Sequence[str] = (), timeout_s: float = 3600
) -> FinishedRun:
    """Contour the CT in `ct` into `out`, in a process of its own.

    Raises RunError where it left no result.json, subprocess.TimeoutExpired where it took longer.
    """
    command = [sys.executable, "-m", "oarflow", "segment", ct, "-o", out, "-m", models]
    done = subprocess.run(
        [*map(str, command), "--quiet", "--progress", "none", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    path = out / "result.json"
    if not path.is_file():
        raise RunError(f"exit status {done.returncode}: {done.stderr.strip()[-2000:]}")
    result = read_document(path.read_bytes())
    files = [out / part.path for part in result.outputs if part.kind == "RTSTRUCT"]
    return FinishedRun(result, files[0] if files else None)


def model_files(models: Path) -> tuple[ModelFile, ...]:
    """Every network and rule of a models folder, in order of their folders' names."""
    rules = read_rules(models)
    found = []
    for card_path in sorted(models.glob("*/model.json")):
        card = json.loads(card_path.read_text(encoding="utf-8"))
        imported = (contour["organ"] for contour in card.get("contours", ()))
        organs = tuple(card.get("organs", imported)) if _contours(card) else ()
        folder, name, version = card_path.parent.name, card["name"], card["version"]
        sha256 = rules[folder].sha256 if folder in rules else card["sha256"]
        found.append(ModelFile(folder, name, version, sha256, organs))
    return tuple(found)


def _contours(card: Mapping[str, Any]) -> bool:
    """Whether a network or rule makes contours; cards of imported networks name no role."""
    return card.get("role", "segmenter") in {"segmenter", "rule"}


def program_digest(models: Path, more: Mapping[str, str] | None = None) -> str:
    """sha256 over the program's files, settings, catalogue and cards: equal digests, equal runs.

    more: whatever else the run depends on.
    """
    digest = hashlib.sha256(json.dumps(dict(more or {}), sort_keys=True).encode())
    every = (path for path in sorted(PACKAGE.rglob("*")) if path.suffix not in ("", ".pyc"))
    sources = [path for path in every if path.relative_to(PACKAGE).parts[0] not in OFFLINE]
    cards = sorted((*models.glob("*/model.json"), *models.glob("*.yaml")))
    for path in (*sources, shipped("app.yaml"), *cards):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + what_counts(path))
    return digest.hexdigest()


def what_counts(path: Path) -> bytes:
    """A source, or a model card without the scores that a run does not depend on."""
    if path.name != CARD_NAME:
        return path.read_bytes()
    card = json.loads(path.read_text(encoding="utf-8"))
    card.pop("validation", None)
    return json.dumps(card, sort_keys=True).encode()
