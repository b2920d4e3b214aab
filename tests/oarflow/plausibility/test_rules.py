"""Planted faults and good contours before the rules, with limits set by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from oarflow.plausibility.evidence import gather
from oarflow.plausibility.limits import Limits
from oarflow.plausibility.rules import Measures, assess, judge, judge_all
from oarflow.plausibility.signs import Family
from oarflow.priors import Priors, Spread
from oarflow.structures import ModelIdentity, ProbabilityField, Segmentation, Status
from tests.oarflow.plausibility.scenes import CATALOGUE, Point, ball, volume

LEFT, RIGHT, STEM = (55.0, 0.0, 90.0), (-55.0, 0.0, 90.0), (0.0, 20.0, 130.0)
VOLUME_OF_BALL = float(np.log(4 / 3 * np.pi * 1.5**3))


def spread(median: float, deviation: float) -> Spread:
    return Spread(50, median, deviation, deviation)


NETWORKS = {
    "Parotid_L": {
        "sure": spread(0.9, 0.05),
        "steady": spread(0.95, 0.02),
        **{f"centre_{axis}": spread(0.0, 2.0) for axis in "zyx"},
        "face_superior": spread(0.0, 4.0),
    }
}
PRIORS = Priors(
    {
        "Parotid_L": {
            "volume": spread(VOLUME_OF_BALL, 0.2),
            "pair": spread(0.0, 0.15),
            "mean_hu": spread(0.0, 20.0),
            "metal": Spread(50, 0.0, 0.001, 0.001),
        }
    },
    {
        ("Parotid_L", "Parotid_R"): (spread(0, 5), spread(0, 5), spread(110, 6)),
        ("Parotid_L", "Brainstem"): (spread(-40, 6), spread(-20, 6), spread(55, 5)),
    },
)
MEASURES = Measures(PRIORS, Limits(dict.fromkeys(Family, 4.0), NETWORKS, {}))


def said(
    items: Sequence[Segmentation],
    organ: str = "Parotid_L",
    *,
    hu: float = 0.0,
    age: float | None = None,
) -> dict[str, list[str]]:
    """What is said of one organ, by rule."""
    scene = gather(volume(hu, age), items, CATALOGUE)
    found: dict[str, list[str]] = {}
    for flag in judge(scene.contours[organ], scene, MEASURES):
        found.setdefault(flag.rule, []).append(flag.words)
    return found


def with_left(
    centre: Point = LEFT,
    radius_mm: float = 15.0,
    *,
    localized: Point = LEFT,
    sure: float = 0.95,
    clipped: bool = False,
) -> list[Segmentation]:
    """A whole patient with that left parotid."""
    left = ball("Parotid_L", centre, radius_mm, localized=localized, sure=sure, clipped=clipped)
    return [left, ball("Parotid_R", RIGHT), ball("Brainstem", STEM)]


def test_good_contours_are_not_flagged() -> None:
    assert said(with_left()) == {}


def test_swapped_sides_are_flagged_on_both() -> None:
    swapped = [ball("Parotid_L", RIGHT), ball("Parotid_R", LEFT), ball("Brainstem", STEM)]
    for organ, partner in (("Parotid_L", "Parotid_R"), ("Parotid_R", "Parotid_L")):
        assert said(swapped, organ)["side"] == [
            f"does not lie on its side of {partner}",
            "does not lie on its side of Brainstem",
        ]
    assert "side" not in said(swapped, "Brainstem")


@pytest.mark.parametrize(("radius", "word"), [(9.0, "below"), (24.0, "above")])
def test_a_volume_out_of_range_is_flagged(radius: float, word: str) -> None:
    flags = said(with_left(radius_mm=radius))
    assert word in flags["volume"][0]
    assert flags["pair"][0].startswith("its volume is ")


def test_a_truncated_organ_may_be_small() -> None:
    low = (55.0, 0.0, 5.0)
    cut = ball("Parotid_L", low, 12.0, localized=low, status=Status.TRUNCATED)
    assert "volume" not in said([cut])


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        ((55.0, 0.0, 105.0), "15 mm toward the head"),
        ((55.0, -15.0, 90.0), "15 mm toward the front"),
        ((70.0, 0.0, 90.0), "15 mm toward the left"),
    ],
)
def test_a_shift_from_where_the_localizer_saw_it(moved: Point, words: str) -> None:
    assert any(words in flag for flag in said(with_left(moved))["centre"])


def test_a_half_that_the_localizer_saw_and_the_contour_lacks() -> None:
    left, *others = with_left()
    assert left.field is not None
    values = left.field.values.copy()
    values[values.shape[0] // 2 :] = 0.0
    half = replace(left, field=replace(left.field, values=values))
    flags = said([half, *others])
    assert len(flags["faces"]) == 1
    assert "less far toward the head than the localizer saw" in flags["faces"][0]


def test_a_place_that_the_neighbours_deny() -> None:
    """Localizer and contour agree on a place too low: only the priors object."""
    low = (55.0, 0.0, 45.0)
    flags = said(with_left(low, localized=low))
    assert set(flags) == {"place"}
    assert "45 mm too far toward the feet" in flags["place"][0]


def test_one_wrong_neighbour_accuses_no_one() -> None:
    left, right, _ = with_left()
    assert "place" not in said([left, right, ball("Brainstem", (0.0, 20.0, 20.0))])


def test_voxels_of_another_tissue() -> None:
    assert said(with_left(), hu=400.0)["voxels"] == [
        "mean of its voxels 400 HU; the plausible most is 80 HU"
    ]


def test_metal_around_it() -> None:
    assert said(with_left(), hu=3000.0)["image"][0].startswith(
        "the CT around it is unlike the training images: metal in 100.0%"
    )


def test_a_network_that_says_otherwise_of_a_moved_patch() -> None:
    left, *others = with_left()
    assert left.field is not None
    for steadiness, flagged in ((0.94, False), (0.80, True), (None, False)):
        item = replace(left, field=replace(left.field, steadiness=steadiness))
        assert ("doubt" in said([item, *others])) == flagged
    unsteady = replace(left, field=replace(left.field, steadiness=0.8))
    assert "Dice 0.80 with itself, usually 0.95" in said([unsteady, *others])["doubt"][0]


def test_a_network_that_is_unsure() -> None:
    assert "probability of 0.60" in said(with_left(sure=0.6))["doubt"][0]


def test_a_patch_that_was_too_small() -> None:
    assert set(said(with_left(clipped=True))) == {"clipped"}


def test_a_child() -> None:
    assert set(said(with_left(), age=9.0)) == {"age"}
    assert said(with_left(), age=60.0) == {}


def test_an_empty_slice_within() -> None:
    left, *others = with_left()
    assert left.field is not None
    values = left.field.values.copy()
    values[len(values) // 2] = 0.0
    parted = replace(left, field=replace(left.field, values=values))
    flags = said([parted, *others])
    assert flags["gaps"] == ["1 slice without contour in its middle"]
    assert flags["pieces"][0].startswith("is in 2 pieces")


def test_two_organs_in_one_place() -> None:
    twin = ball("Submandibular_L", LEFT, 15.0)
    assert "shares 100% of its volume with Submandibular_L" in said([*with_left(), twin])["overlap"]


def test_a_pair_contoured_as_one_has_two_pieces() -> None:
    lungs = ball("Lungs", LEFT, 12.0)
    assert lungs.field is not None
    values = lungs.field.values
    for count, flagged in ((2, False), (3, True)):
        pieces = np.concatenate([values] * count, axis=2)
        field = ProbabilityField(pieces, (lungs.field.offset[0], lungs.field.offset[1], 5))
        found = said([replace(lungs, field=field)], "Lungs")
        assert ("pieces" in found) == flagged


def test_organs_of_derived_labels_do_not_tell_of_places() -> None:
    """What clinics draw under a brainstem's name lies elsewhere than what rules derive."""
    _left, right, stem = with_left()
    away = ball("Parotid_L", (55.0, 0.0, 160.0), localized=(55.0, 0.0, 160.0))
    assert "place" in said([away, right, stem])
    derived = ModelIdentity("m", "1", "0", derived_labels=True)
    assert "place" not in said([away, right, replace(stem, model=derived)])
    assert "place" not in said([replace(away, model=derived), right, stem])


def test_a_part_may_lie_in_its_whole() -> None:
    condyle, mandible = ball("Mandible_Cond_L", LEFT, 8.0), ball("Bone_Mandible", LEFT, 15.0)
    for judged in (condyle, mandible):
        assert "overlap" not in said([condyle, mandible], judged.organ)
    other = ball("Mandible_Cond_R", LEFT, 8.0)
    assert "overlap" in said([condyle, other], "Mandible_Cond_L")


def test_an_organ_that_nobody_measured_is_held_against_the_catalogue() -> None:
    large = ball("Lens_L", LEFT, 15.0)
    assert "above the plausible" in said([large], "Lens_L")["volume"][0]


def test_flags_make_a_contour_suspicious_and_keep_those_before() -> None:
    """With the limits that come with the program."""
    cut = replace(
        ball("Parotid_L", RIGHT, status=Status.TRUNCATED), flags=("cut by the field of view: left",)
    )
    absent = Segmentation("Larynx", Status.ABSENT)
    items = [cut, ball("Brainstem", STEM), absent]
    assessed = assess(volume(), items, CATALOGUE)
    assert assessed[0].status is Status.SUSPICIOUS
    assert assessed[0].flags[0] == "cut by the field of view: left"
    assert "does not lie on its side of Brainstem" in assessed[0].flags
    assert assessed[2] is absent


def test_an_empty_field_is_nobodys_contour() -> None:
    empty = ProbabilityField(np.zeros((1, 1, 1), dtype=np.float32), (0, 0, 0))
    item = Segmentation("Larynx", Status.SEGMENTED, empty)
    assert assess(volume(), [item], CATALOGUE) == (item,)


@pytest.mark.parametrize(
    ("in_doubt", "contours", "others_flagged"), [(3, 5, True), (2, 3, False), (3, 6, False)]
)
def test_where_most_contours_are_in_doubt_all_are(
    in_doubt: int, contours: int, others_flagged: bool
) -> None:
    places = {
        "Parotid_L": LEFT,
        "Parotid_R": RIGHT,
        "Brainstem": STEM,
        "Larynx": (0.0, -20.0, 20.0),
        "Bone_Mandible": (0.0, -60.0, 60.0),
        "Esophagus": (0.0, 25.0, 20.0),
    }
    items = [
        ball(organ, place, 8.0, clipped=number < in_doubt)
        for number, (organ, place) in enumerate(list(places.items())[:contours])
    ]
    any_volume = Priors({organ: {"volume": spread(VOLUME_OF_BALL, 9.0)} for organ in places}, {})
    measures = Measures(any_volume, Limits({}, {}, {}))
    found = judge_all(gather(volume(0.0), items, CATALOGUE), measures)
    names = list(found)
    assert all([flag.rule for flag in found[name]] == ["clipped"] for name in names[:in_doubt])
    rest = {name: [flag.words for flag in found[name]] for name in names[in_doubt:]}
    words = [f"{in_doubt} of the {contours} contours of this study are in doubt"]
    assert rest == dict.fromkeys(rest, words if others_flagged else [])
