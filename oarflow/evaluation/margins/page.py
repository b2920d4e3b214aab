"""The page of margins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oarflow.evaluation.margins.cost import PIXEL_MM, SHAPE, STEP_MM, seconds
from oarflow.evaluation.margins.methods import methods, outline
from oarflow.evaluation.margins.shapes import Shape, coordinates, grid_of, shapes
from oarflow.tables import markdown_table

GAPS: Sequence[tuple[float, ...]] = (
    (1.0,),
    (1.0, 1.5, 2.0, 2.5, 3.0),
    (3.0,),
    (1.0, 2.0, 3.0, 4.0, 5.0),
    (5.0,),
)
"""Distances of slices, in mm."""

MOVES_MM = (3.0, 5.0, 10.0, -3.0, -5.0, -10.0)
"""Margins; a structure shrinks where they are negative."""

HEAD = """# Margins

Made by `{command}`.

Shapes with an exact formula are grown (+) and shrunk (-) by 3, 5 and 10 mm, on pixels of 1 mm and
slices at the distances shown. The figures are the mean distances (mm) of the outlines on all slices
from the exact surface. The ends of sphere and cylinder and the edges of the plates are left out.
The limit is 0.1 mm on slices up to 3 mm apart and 0.2 mm at 5 mm. {above}

"""

METHODS = """## Beside other programs

Mean over the six margins, and the greatest of the six. *OARflow* starts from a field as smooth as a
network's. *OARflow, from a mask* starts from voxels of 0 and 1, as the others do: a surface in
voxels is known to half a pixel only. SimpleITK (signed Maurer distance map) and plastimatch
(`dmap`, default boundary) need evenly spaced slices. They get slices every 1 mm, each with the mask
of the nearest slice. The surface is read from the distance map of each program by interpolation.
Both measure from the centres of the outermost voxels by Maurer's algorithm, so their figures are
equal.{missing}

"""

COST = """## Cost

Processor seconds of External and six recipes on a synthetic CT: {slices} slices of
{rows} x {columns}, spacing {step} x {pixel} x {pixel} mm. The shortest of three runs.

"""


@dataclass(frozen=True)
class Measured:
    """Mean surface error (mm) of a method by margin."""

    shape: Shape
    gaps: tuple[float, ...]
    errors: Mapping[str, tuple[float, ...]]


def write_page(path: Path, command: str, *, with_cost: bool = True) -> None:
    """Measure all shapes with all methods and write the page."""
    found = [measured(shape, gaps) for shape in shapes() for gaps in GAPS]
    parts = [
        HEAD.format(command=command, above=_above(found)),
        _own_table(found),
        "\n\n",
        _beside(found),
        "\n",
    ]
    if with_cost:
        parts += ["\n", _cost()]
    path.write_text("".join(parts), encoding="utf-8")


def measured(shape: Shape, gaps: tuple[float, ...]) -> Measured:
    """The errors of every method for a shape on slices at these distances."""
    grid = grid_of(gaps)
    distance = shape.distance(coordinates(grid))
    held = grid.offsets_mm[(distance >= 0).any(axis=(1, 2))]
    errors = {}
    for name, move in methods().items():
        means = []
        for mm in MOVES_MM:
            field = move(distance, grid, mm)
            if field is None:
                raise ValueError(f"{name} leaves nothing of {shape.name} moved by {mm:g} mm")
            away = shape.error(outline(field, grid), mm, (float(held[0]), float(held[-1])))
            means.append(float(np.abs(away).mean()))
        errors[name] = tuple(means)
    return Measured(shape, gaps, errors)


def _above(found: Iterable[Measured]) -> str:
    """The figures above the limit, in words."""
    above = [
        f"{one.shape.name} on slices of {_gaps(one.gaps)} mm, {move:+g} mm: {error:.3f} mm"
        for one in found
        for move, error in zip(MOVES_MM, one.errors["OARflow"], strict=True)
        if round(error, 3) > limit_mm(one.gaps)
    ]
    return f"Above the limit: {'; '.join(above)}." if above else "No figure is above it."


def limit_mm(gaps: tuple[float, ...]) -> float:
    """Greatest mean error (mm) that a margin should have on slices at these distances."""
    return 0.1 if max(gaps) <= 3 else 0.2


def _own_table(found: Iterable[Measured]) -> str:
    rows = [
        (one.shape.name, _gaps(one.gaps), *(f"{mm:.3f}" for mm in one.errors["OARflow"]))
        for one in found
    ]
    return markdown_table(("shape", "slices mm", *(f"{mm:+g}" for mm in MOVES_MM)), rows)


def _beside(found: Sequence[Measured]) -> str:
    names = list(found[0].errors)
    rows = [
        (
            one.shape.name,
            _gaps(one.gaps),
            *(f"{np.mean(one.errors[name]):.3f} ({max(one.errors[name]):.3f})" for name in names),
        )
        for one in found
    ]
    missing = "" if "plastimatch" in names else " plastimatch was not installed."
    return METHODS.format(missing=missing) + markdown_table(("shape", "slices mm", *names), rows)


def _cost() -> str:
    found = seconds()
    rows = [*((name, f"{value:.2f}") for name, value in found.items())]
    rows.append(("**all**", f"**{sum(found.values()):.2f}**"))
    slices, height, width = SHAPE
    head = COST.format(slices=slices, rows=height, columns=width, step=STEP_MM, pixel=PIXEL_MM)
    return head + markdown_table(("structure", "seconds"), rows) + "\n"


def _gaps(gaps: tuple[float, ...]) -> str:
    return f"{gaps[0]:g}" if len(gaps) == 1 else f"{gaps[0]:g} to {gaps[-1]:g}"
