"""The catalogue's organs as specs for the writer."""

from __future__ import annotations

from oarflow.organs import Catalogue, Concept, Organ
from oarflow.rtstruct.specs import CodedConcept, RoiSpec


def catalogue_specs(catalogue: Catalogue) -> dict[str, RoiSpec]:
    """A spec for every organ, in catalogue order, under its own name."""
    return {organ.name: _spec(organ) for organ in catalogue}


def _spec(organ: Organ) -> RoiSpec:
    return RoiSpec(
        organ=organ.name,
        name=organ.name,
        colour=organ.colour,
        code=_code(organ.code, organ.laterality_code) if organ.code else None,
        interpreted_type=organ.interpreted_type,
        minimum_island_cc=organ.minimum_island_cc,
    )


def _code(concept: Concept, side: Concept | None) -> CodedConcept:
    modifier = CodedConcept(side.value, side.scheme, side.meaning) if side else None
    return CodedConcept(concept.value, concept.scheme, concept.meaning, modifier)
