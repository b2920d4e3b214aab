"""Orientations in letters: the directions in which an array's index grows along x, y and z."""

from __future__ import annotations

DIRECTIONS = ("LR", "PA", "SI")
"""Opposite directions along the patient's axes; the first of each is LPS's."""


def check_orientation(letters: str) -> None:
    """Raise ValueError unless three letters name a direction along each axis, such as RAS."""
    axes = [axis for letter in letters for axis, pair in enumerate(DIRECTIONS) if letter in pair]
    if len(letters) != 3 or sorted(axes) != [0, 1, 2]:
        raise ValueError(
            f"an orientation is three letters, such as RAS: one of L and R, one of A and P, one of"
            f" S and I; not {letters!r:.20}"
        )


def flips(letters: str) -> tuple[str, ...]:
    """The eight orientations with these axes, the given one first."""
    check_orientation(letters)
    found = [""]
    for letter in letters:
        pair = next(pair for pair in DIRECTIONS if letter in pair)
        other = pair.replace(letter, "")
        found = [start + end for end in (letter, other) for start in found]
    return tuple(found)
