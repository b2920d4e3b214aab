"""Planted faults and good contours before the rules, with limits set by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.plausibility.evidence import gather
from oarflow.plausibility.limits import Limits, Measures
from oarflow.plausibility.rules import Judgement, assess, judge, judge_all
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
) -> dict[str, Flag]:
    """The flags of one organ, by code; each code stands once."""
    scene = gather(volume(hu, age), items, CATALOGUE)
    flags = judge(scene.contours[organ], scene, MEASURES)
    found = {str(flag.code): flag for flag in flags}
    assert len(found) == len(flags)
    return found


def of_study(
    items: Sequence[Segmentation], *, hu: float = 0.0, age: float | None = None
) -> Judgement:
    """All flags of a scene."""
    return judge_all(gather(volume(hu, age), items, CATALOGUE), MEASURES)


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
        flag = said(swapped, organ)["WRONG_SIDE"]
        assert flag.values["others"] == [partner, "Brainstem"]
        away, side = ("right", "left") if organ == "Parotid_L" else ("left", "right")
        assert flag.message == (
            f"Centre lies 110 mm {away} of {partner}; it should lie at least 5 mm {side} of it."
        )
    assert "WRONG_SIDE" not in said(swapped, "Brainstem")


@pytest.mark.parametrize(
    ("radius", "code", "bound"), [(9.0, "VOLUME_LOW", "at least"), (24.0, "VOLUME_HIGH", "at most")]
)
def test_a_volume_out_of_range_is_flagged(radius: float, code: str, bound: str) -> None:
    """The limit is four deviations of 0.2 of the logarithm from the ball of 14.1 cc."""
    flags = said(with_left(radius_mm=radius))
    limit = np.exp(VOLUME_OF_BALL + (0.8 if code == "VOLUME_HIGH" else -0.8))
    assert flags[code].values["limit_cc"] == pytest.approx(limit, abs=1e-3)
    assert flags[code].values["volume_cc"] == pytest.approx(
        4 / 3 * np.pi * radius**3 / 1000, rel=0.1
    )
    pair = flags["PAIR_UNEQUAL"]
    assert (pair.values["partner"], pair.values["bound"]) == ("Parotid_R", bound)
    assert pair.values["limit_ratio"] == pytest.approx(
        np.exp(0.6 if radius > 15 else -0.6), abs=1e-3
    )


def test_a_truncated_organ_may_be_small() -> None:
    low = (55.0, 0.0, 5.0)
    cut = ball("Parotid_L", low, 12.0, localized=low, status=Status.TRUNCATED)
    assert "VOLUME_LOW" not in said([cut])


@pytest.mark.parametrize(
    ("moved", "direction"),
    [
        ((55.0, 0.0, 105.0), "superior"),
        ((55.0, -15.0, 90.0), "anterior"),
        ((70.0, 0.0, 90.0), "left"),
    ],
)
def test_a_shift_from_where_the_localizer_saw_it(moved: Point, direction: str) -> None:
    flag = said(with_left(moved))["CENTRE_SHIFTED"]
    assert flag.message == (
        f"Centre lies 15 mm {direction} of the position that the localization network found, "
        "usually at most 8 mm."
    )
    assert flag.values["directions"] == [direction]


def test_a_shift_along_two_axes_is_one_flag_with_the_larger_figure() -> None:
    flag = said(with_left((70.0, 0.0, 111.0)))["CENTRE_SHIFTED"]
    assert flag.message == (
        "Centre lies 21 mm superior of the position that the localization network found, "
        "usually at most 8 mm."
    )
    assert flag.values["directions"] == ["superior", "left"]
    assert flag.values["shifts_mm"] == pytest.approx([21.0, 15.0], abs=0.5)


def test_a_half_that_the_localizer_saw_and_the_contour_lacks() -> None:
    left, *others = with_left()
    assert left.field is not None
    values = left.field.values.copy()
    values[values.shape[0] // 2 :] = 0.0
    half = replace(left, field=replace(left.field, values=values))
    flags = said([half, *others])
    assert flags["END_SHORT"].values["sides"] == ["superior"]
    assert (
        "short of the superior border that the localization network" in flags["END_SHORT"].message
    )


def test_a_contour_that_reaches_beyond_what_the_localizer_saw() -> None:
    """Seen up to slice 27, whose upper face is at 82.5 mm; the ball reaches 105 mm or nearly so."""
    left, *others = with_left()
    assert left.localization is not None
    seen = replace(left.localization, slices=(25, 27))
    flag = said([replace(left, localization=seen), *others])["END_BEYOND"]
    assert flag.values["sides"] == ["superior"]
    assert flag.values["difference_mm"] == pytest.approx(22.5, abs=2.0)
    assert flag.values["limit_mm"] == 16.0


def test_a_place_that_the_neighbours_deny() -> None:
    """Localizer and contour agree on a place too low: only the priors object."""
    low = (55.0, 0.0, 45.0)
    flags = said(with_left(low, localized=low))
    assert set(flags) == {"MISPLACED"}
    assert flags["MISPLACED"].message.startswith(
        "Centre lies 45 mm inferior of the position expected from"
    )


def test_one_wrong_neighbour_accuses_no_one() -> None:
    left, right, _ = with_left()
    assert "MISPLACED" not in said([left, right, ball("Brainstem", (0.0, 20.0, 20.0))])


def test_voxels_of_another_tissue() -> None:
    assert said(with_left(), hu=400.0)["MEAN_HU"].message == (
        "Mean CT number inside the contour is 400 HU, usually at most 80 HU."
    )


def test_metal_concerns_the_study_and_makes_no_organ_suspicious() -> None:
    found = of_study(with_left(), hu=3000.0)
    (flag,) = found.study
    assert flag.message == (
        "More metal near Parotid_L than in the training CTs: 100.0% of voxels within 20 mm, "
        "usually at most 0.4%."
    )
    assert flag.values["organs"] == ["Parotid_L"]
    assert {
        code for flags in found.flags.values() for code in flags if "IMAGE" in code.code
    } == set()


def test_the_look_around_a_rules_contour_says_nothing() -> None:
    """Looks were measured around contours of networks and of people."""
    rule = ModelIdentity("m", "1", "0", rule=True)
    ruled = [replace(item, model=rule) for item in with_left()]
    assert of_study(with_left(), hu=3000.0).study
    assert of_study(ruled, hu=3000.0).study == ()


def test_a_network_that_says_otherwise_of_a_moved_patch() -> None:
    left, *others = with_left()
    assert left.field is not None
    for steadiness, flagged in ((0.94, False), (0.80, True), (None, False)):
        item = replace(left, field=replace(left.field, steadiness=steadiness))
        assert ("UNSTABLE" in said([item, *others])) == flagged
    unsteady = replace(left, field=replace(left.field, steadiness=0.8))
    assert said([unsteady, *others])["UNSTABLE"].message == (
        "A second run on slightly shifted input changes the contour (Dice 0.80, usually above "
        "0.87)."
    )


def test_a_network_that_is_unsure() -> None:
    assert "(mean probability 0.60" in said(with_left(sure=0.6))["LOW_CONFIDENCE"].message


def test_an_imported_network_is_not_judged_by_the_certainty_of_others() -> None:
    model = ModelIdentity("imported/x", "1.0.0", "0" * 64, imported=True)
    items = [replace(item, model=model) for item in with_left(sure=0.6)]
    assert "LOW_CONFIDENCE" not in said(items)
    far = [replace(item, model=model) for item in with_left(radius_mm=30.0)]
    assert "VOLUME_HIGH" in said(far)


def test_a_patch_that_was_too_small() -> None:
    assert set(said(with_left(clipped=True))) == {"PATCH_EDGE"}


@pytest.mark.parametrize(
    ("age", "flagged"), [(12.9, True), (17.99, True), (18.0, False), (60.0, False), (None, False)]
)
def test_a_child_concerns_the_study_and_makes_no_organ_suspicious(
    age: float | None, flagged: bool
) -> None:
    found = of_study(with_left(), age=age)
    assert not any(found.flags.values())
    messages = [flag.message for flag in found.study]
    years = int(age or 0)
    said_ = f"Patient is {years} years old; the networks were trained on adults."
    assert messages == ([said_] if flagged else [])


def test_an_empty_slice_within() -> None:
    left, *others = with_left()
    assert left.field is not None
    values = left.field.values.copy()
    values[len(values) // 2] = 0.0
    parted = replace(left, field=replace(left.field, values=values))
    flags = said([parted, *others])
    assert flags["EMPTY_SLICES"].values == {"slices": 1}
    assert flags["SEVERAL_PIECES"].message.startswith("Contour is in 2 separate pieces; ")


def test_two_organs_in_one_place() -> None:
    twin = ball("Submandibular_L", LEFT, 15.0)
    assert said([*with_left(), twin])["OVERLAP"].message == (
        "100% of this organ's volume also lies inside Submandibular_L, usually at most 20%."
    )


def test_a_pair_contoured_as_one_has_two_pieces() -> None:
    lungs = ball("Lungs", LEFT, 12.0)
    assert lungs.field is not None
    values = lungs.field.values
    for count, flagged in ((2, False), (3, True)):
        pieces = np.concatenate([values] * count, axis=2)
        field = ProbabilityField(pieces, (lungs.field.offset[0], lungs.field.offset[1], 5))
        found = said([replace(lungs, field=field)], "Lungs")
        assert ("SEVERAL_PIECES" in found) == flagged


def test_organs_of_derived_labels_do_not_tell_of_places() -> None:
    """What clinics draw under a brainstem's name lies elsewhere than what rules derive."""
    _left, right, stem = with_left()
    away = ball("Parotid_L", (55.0, 0.0, 160.0), localized=(55.0, 0.0, 160.0))
    assert "MISPLACED" in said([away, right, stem])
    derived = ModelIdentity("m", "1", "0", derived_labels=True)
    assert "MISPLACED" not in said([away, right, replace(stem, model=derived)])
    assert "MISPLACED" not in said([replace(away, model=derived), right, stem])


def test_a_part_may_lie_in_its_whole() -> None:
    condyle, mandible = ball("Mandible_Cond_L", LEFT, 8.0), ball("Bone_Mandible", LEFT, 15.0)
    for judged in (condyle, mandible):
        assert "OVERLAP" not in said([condyle, mandible], judged.organ)
    other = ball("Mandible_Cond_R", LEFT, 8.0)
    assert "OVERLAP" in said([condyle, other], "Mandible_Cond_L")


def test_an_organ_that_nobody_measured_is_held_against_the_catalogue() -> None:
    large = ball("Lens_L", LEFT, 15.0)
    flag = said([large], "Lens_L")["VOLUME_HIGH"]
    assert flag.values["limit_cc"] == CATALOGUE.organ("Lens_L").volume_cc[1]


def test_flags_make_a_contour_suspicious_and_keep_those_before() -> None:
    """With the limits that come with the program."""
    before = Flag.of(FlagCode.FIELD_OF_VIEW, sides=["left"])
    cut = replace(ball("Parotid_L", RIGHT, status=Status.TRUNCATED), flags=(before,))
    absent = Segmentation("Larynx", Status.ABSENT)
    items = [cut, ball("Brainstem", STEM), absent]
    assessed = assess(volume(), items, CATALOGUE).segmentations
    assert assessed[0].status is Status.SUSPICIOUS
    assert assessed[0].flags[0] == before
    assert "WRONG_SIDE" in [flag.code for flag in assessed[0].flags]
    assert assessed[2] is absent


def test_an_empty_field_is_nobodys_contour() -> None:
    empty = ProbabilityField(np.zeros((1, 1, 1), dtype=np.float32), (0, 0, 0))
    item = Segmentation("Larynx", Status.SEGMENTED, empty)
    assert assess(volume(), [item], CATALOGUE).segmentations == (item,)


@pytest.mark.parametrize(
    ("in_doubt", "contours", "study_flagged"), [(3, 5, True), (2, 3, False), (3, 6, False)]
)
def test_where_most_contours_are_flagged_the_study_is_and_no_further_contour(
    in_doubt: int, contours: int, study_flagged: bool
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
    names = list(found.flags)
    for name in names:
        codes = [flag.code for flag in found.flags[name]]
        assert codes == (["PATCH_EDGE"] if name in names[:in_doubt] else [])
    message = f"{in_doubt} of {contours} contours are flagged; the CT itself may be the cause."
    assert [flag.message for flag in found.study] == ([message] if study_flagged else [])
