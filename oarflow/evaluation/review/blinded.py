"""Two sources of contours reviewed without knowing which is which, and the key to it."""

from __future__ import annotations

import hashlib
import logging
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from scipy.stats import binomtest

from oarflow.compare.edits import find_rtstruct
from oarflow.evaluation.review.scores import Review, ReviewedOrgan
from oarflow.intake.scan import scan
from oarflow.organs import Catalogue
from oarflow.report.page import write_comparison
from oarflow.report.scene import make_scene
from oarflow.rtstruct.drawn import read_drawn_volume
from oarflow.rtstruct.frames import OTHER_FRAME, on_frame
from oarflow.rtstruct.model import Roi, StructureSet
from oarflow.rtstruct.reader import read_structure_set
from oarflow.settings_files import explain
from oarflow.tables import markdown_table

LOGGER = logging.getLogger(__name__)

COLOURS = ((255, 176, 0), (0, 190, 255))
"""Colours of number 1 and number 2: amber and sky blue, which differ for every colour vision."""

PAGE_NAME, KEY_NAME = "blinded.html", "key.json"


class Key(BaseModel):
    """Which source is which. organs: source by what the page calls the contour."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    comparison: str
    organs: dict[str, str]


@dataclass(frozen=True)
class ContourSource:
    """Contours under a name that only the key tells. path: an RTSTRUCT, or a folder with one."""

    label: str
    path: Path


def write_blinded(
    ct: Path,
    sources: tuple[ContourSource, ContourSource],
    out: Path,
    catalogue: Catalogue,
    seed: str,
) -> Key:
    """Write the page and, beside it, the key, which the reviewers must not have.

    The order is drawn by lot for every organ, from the seed and both files. Raises ValueError where
    the labels are equal or the sources share no organ, Refusal or ReadError where the CT or a
    source cannot be read.
    """
    if sources[0].label == sources[1].label:
        raise ValueError("the two sources need different names")
    files = [find_rtstruct(source.path).read_bytes() for source in sources]
    structure_sets = [read_structure_set(file) for file in files]
    volume = read_drawn_volume(scan(ct), structure_sets).volume
    digest = hashlib.sha256(b"\0".join((seed.encode(), *files))).hexdigest()
    regions = []
    for source, structures in zip(sources, structure_sets, strict=True):
        on_ct, elsewhere = on_frame(structures, volume.source.frame_of_reference_uid)
        for name in elsewhere:
            LOGGER.warning("%s, %s: %s", source.label, name, OTHER_FRAME)
        regions.append(_by_organ(on_ct, catalogue))
    shared = [organ for organ in regions[0] if organ in regions[1]]
    if not shared:
        raise ValueError("the two sources have no organ in common")
    lot = random.Random(digest)
    rois: list[Roi] = []
    key: dict[str, str] = {}
    for organ in shared:
        order = lot.sample((0, 1), 2)
        for number, which in enumerate(order, start=1):
            name = f"{organ} {number}"
            key[name] = sources[which].label
            rois.append(_anonymous(regions[which][organ], name, number, len(rois) + 1))
    structures = StructureSet("", tuple(rois), volume.source.frame_of_reference_uid, frozenset())
    out.mkdir(parents=True, exist_ok=True)
    found = Key(comparison=digest[:16], organs=key)
    write_comparison(out / PAGE_NAME, make_scene(volume, structures), found.comparison)
    (out / KEY_NAME).write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return found


def read_key(path: Path) -> Key:
    """Raises ValueError where the file is no key."""
    try:
        return Key.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path} is no key: {explain(error, Key)}") from error


def unblinded(reviews: Iterable[Review], keys: Sequence[Key]) -> tuple[Review, ...]:
    """Reviews with the sources in place of networks. Raises ValueError where a key lacks."""
    by_name = {key.comparison: key for key in keys}
    found = []
    for review in reviews:
        if review.comparison is None:
            found.append(review)
            continue
        key = by_name.get(review.comparison)
        if key is None:
            raise ValueError(f"no key for the comparison {review.comparison}")
        organs = tuple(_told(organ, key.organs) for organ in review.organs)
        found.append(review.model_copy(update={"organs": organs}))
    return tuple(found)


def preferences(reviews: Iterable[Review]) -> str:
    """Markdown: by organ, how often which source was scored higher, with a sign test."""
    pairs: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for review in reviews:
        if review.comparison is None:
            continue
        scores: dict[str, dict[str, int]] = defaultdict(dict)
        for organ in review.organs:
            if organ.score is not None:
                scores[organ.name][organ.network] = organ.score
        for name, by_source in scores.items():
            if len(by_source) == 2:
                first, second = sorted(by_source)
                pairs[name, first, second].append(by_source[first] - by_source[second])
    rows = []
    for (name, first, second), differences in sorted(pairs.items()):
        higher = sum(d > 0 for d in differences)
        lower = sum(d < 0 for d in differences)
        p = binomtest(higher, higher + lower).pvalue if higher + lower else 1.0
        equal = len(differences) - higher - lower
        rows.append((name, first, second, len(differences), higher, equal, lower, f"{p:.3f}"))
    head = ("organ", "A", "B", "pairs", "A higher", "equal", "B higher", "sign test p")
    return "## Which was preferred\n\n" + markdown_table(head, rows) + "\n"


def _by_organ(structures: StructureSet, catalogue: Catalogue) -> dict[str, Roi]:
    found: dict[str, Roi] = {}
    for roi in structures.rois:
        organ = catalogue.resolve(roi.name)
        if organ is not None and roi.contours:
            found.setdefault(organ.name, roi)
    return found


def _anonymous(roi: Roi, name: str, number: int, place: int) -> Roi:
    """The contours and nothing that tells where they come from."""
    return replace(
        roi, number=place, name=name, organ=name, colour=COLOURS[number - 1], description=""
    )


def _told(organ: ReviewedOrgan, key: Mapping[str, str]) -> ReviewedOrgan:
    if organ.name not in key:
        raise ValueError(f"the key does not tell of {organ.name!r}")
    name = organ.name.rsplit(" ", 1)[0]
    return organ.model_copy(update={"name": name, "model": key[organ.name]})
