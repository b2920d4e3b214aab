"""Writes the reference pages that the program knows best: `make docs-pages`.

A test compares the pages with what this program writes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from docs.generators import codes, commands, flags, jobs, result, settings, structures

REFERENCE = Path(__file__).parent / "reference"


def pages() -> dict[str, str]:
    """Text of every page by its path below docs/reference."""
    makers = (commands, settings, structures, result, codes, flags, jobs)
    return {name: text for maker in makers for name, text in maker.pages().items()}


def main() -> int:
    """Write every page, and remove pages of commands that are gone."""
    written = pages()
    for path in (REFERENCE / "commands").rglob("*.md"):
        if path.relative_to(REFERENCE).as_posix() not in written:
            path.unlink()
    for name, text in written.items():
        path = REFERENCE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
