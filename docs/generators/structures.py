"""The page of recipes of derived structures."""

from __future__ import annotations

from pydantic import BaseModel

from docs.generators import MADE
from docs.generators.fields import about, rows
from docs.generators.settings import table
from oarflow.derived.recipes import KINDS, Directions, Plane

HEAD = f"""# Recipes of structures

{MADE}
`structures` in the settings lists structures that OARflow makes from its contours. Each entry has
one name and one recipe. A recipe has exactly one operator. [Make PRVs, rings and
crops](../how-to/derived-structures.md) shows examples.

## Names and parents

- A parent is an organ of the catalogue or another structure. Structures may be listed in any order.
- If `organs` is a list, it must name the parents. A reviewer of a margin needs its organ in the
  same file.
- A name follows the rules of the profile: letters, digits, `_ - + ~ ^` and at most 16 characters
  for most planning systems. It is not a name of an organ. `rois` renames and colours structures as
  it does organs.
- A name with `_PRV` follows TG-263: the organ, `_PRV`, and the margin in mm with two digits, as in
  `SpinalCord_PRV05`. The structure must grow this organ by this margin, in at least one direction.
  The side may come last (`OpticNrv_PRV03_L`). Without digits (`SpinalCord_PRV`) any margin is
  accepted.
- If a name or a recipe breaks one of these rules, the run stops before it reads the CT
  (`STRUCTURES`, `ROI_NAMES`, `SETTINGS`).

## Status

| parents | structure |
| --- | --- |
| all `segmented` | `segmented` |
| one `suspicious` | `suspicious`, with the flag PARENT_SUSPICIOUS |
| one `truncated`, none suspicious | `truncated`, with the flag PARENT_TRUNCATED |
| one without a contour | `not_derived`, with the flag PARENT_MISSING |
| nothing is left by the recipe | `not_derived`, with the flag NOTHING_LEFT |

A structure is also `truncated` if it reaches the edge of the CT where no parent does. With
`strict`, `not_derived` has the same effect as `failed`. If the self-check removes a contour, it
also removes the structures that are made from it.

## Geometry

OARflow makes structures from the outlines that the RTSTRUCT holds. It computes signed distances in
mm, more finely than a pixel. [Margins](../results/margins.md) has measured errors.

- **Margins** that differ by direction change smoothly from one direction to the next, as the
  surface of an ellipsoid does. If only some directions have a margin, the surface moves by less
  than a third of a pixel in the others.
- **Between slices**, OARflow interpolates the signed distances linearly by the true positions. If
  slices are more than 2 mm apart, it first interpolates a section half-way between them by a cubic
  through four slices.
- **At an end**, a structure continues beyond its last slice, half-way to the next slice of the CT,
  and ends flat there. Over this half step the outline narrows at the same rate as between the last
  two slices of the structure. It never widens. A margin starts at the flat end.
- **At the edge of the CT** nothing shrinks, because the body continues there.
- **Combinations** (`union`, `intersect`, `subtract`) are computed slice by slice. Structures that
  touch within 0.1 mm join without a seam. `subtract`, `ring` and `wall` share no voxel with what
  they leave out.
- Structures thinner than a pixel can fail the self-check. They are then left out with a flag.
"""

COMMON = """## Keys of every recipe

The default of `type` is AVOIDANCE for `grow`; CONTROL for `shrink`, `ring` and `wall`; ORGAN for
the others.
"""


def pages() -> dict[str, str]:
    """Text of the page by its path below docs/reference."""
    common = {row.name for row in rows(Common)}
    parts = [HEAD, table(COMMON.rstrip(), "", rows(Common))]
    for name, kind in KINDS.items():
        own = [row for row in rows(kind) if row.name not in common]
        parts.append(table(f"## `{name}`", about(kind), own))
    parts.append(table("## `mm` by direction", about(Directions), rows(Directions)))
    parts.append(table("## `superior` and `inferior` of `slices`", about(Plane), rows(Plane)))
    return {"structures.md": "\n".join(parts)}


Common: type[BaseModel] = next(iter(KINDS.values())).__bases__[0]
"""The base of all recipes."""
