"""The names of the rules, their organs, and the digest of what defines them; without numpy."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ORGANS: Mapping[str, tuple[str, ...]] = {
    "external": ("External",),
    "chest": ("Trachea", "Lung_L", "Lung_R", "Lungs"),
    "skin": ("Skin",),
}
"""The organs of each rule, by the name that a card gives."""


@cache
def source_digest() -> str:
    """sha256 (hex) of this package's source files: they define the rules."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
