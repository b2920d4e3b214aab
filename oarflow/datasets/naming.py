"""What to tell of contours whose names mean no organ."""

from __future__ import annotations

from collections.abc import Collection

SHOWN = 20
"""So many names are listed in a message."""


def unknown_names(names: Collection[str]) -> str:
    """Why none of a patient's contours was taken, with their names, and how to map them."""
    listed = ", ".join(repr(name) for name in list(names)[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (
        f"none of its {len(names)} contours has a name that means an organ: {listed}{more}; add "
        "each name to the aliases of its organ in models/organs.yaml (a paired organ's name must "
        "say the side)"
    )
