"""Every flag provoked from a CT by formula, with the reason why it must be raised."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oarflow.commissioning.site import SiteRecords
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.intake import read_volume
from oarflow.networks.card import InputRegion
from oarflow.networks.rule_card import RuleCard
from oarflow.networks.store import ModelStore
from oarflow.plausibility.distance_limits import DistanceLimits
from oarflow.plausibility.evidence import gather
from oarflow.plausibility.limits import Limits, Measures
from oarflow.plausibility.rules import judge_all
from oarflow.plausibility.second_opinion import with_opinion
from oarflow.plausibility.signs import Family
from oarflow.priors import Priors, Spread
from oarflow.rtstruct.contours import ContourReport, structure_set
from oarflow.rtstruct.model import StructureSet
from oarflow.rules.chest import chest
from oarflow.rules.external import external
from oarflow.rules.rule import NotOutlined, Outlined, RuleInput
from oarflow.segmentation import ruled
from oarflow.segmentation.localizer import localize
from oarflow.segmentation.mr import mr_flags, registered
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import (
    Localization,
    ModelIdentity,
    ProbabilityField,
    Segmentation,
    Status,
)
from oarflow.volume import Volume
from oarflow.writing import proven
from tests.oarflow.chain import sphere_volume
from tests.oarflow.derived import test_deriving as deriving
from tests.oarflow.flags.bench import (
    SAMPLE,
    Blind,
    Broken,
    LeftHalf,
    contoured,
    flags_of_writing,
    noise_as_mr,
    store_of,
    store_of_mr,
)
from tests.oarflow.plausibility.scenes import CATALOGUE, GRID, SHAPE, ball, volume
from tests.oarflow.rules import chests
from tests.oarflow.rules.bodies import patient, points, sampled, shadow
from tests.oarflow.segmentation.imported_networks import write_imported
from tests.oarflow.systems import Everywhere, Near, write_model

LEFT, RIGHT, STEM = (55.0, 0.0, 90.0), (-55.0, 0.0, 90.0), (0.0, 20.0, 130.0)
BALL_CC = 4 / 3 * np.pi * 1.5**3
LIMIT_SD = 4.0

Provoke = Callable[[Path, pytest.MonkeyPatch], Sequence[Flag]]
PROVOKED: dict[FlagCode, Provoke] = {}
"""What raises each code; the docstrings say why it must."""


def provokes(code: FlagCode) -> Callable[[Provoke], Provoke]:
    def register(provoke: Provoke) -> Provoke:
        PROVOKED[code] = provoke
        return provoke

    return register


def spread(median: float, deviation: float) -> Spread:
    return Spread(50, median, deviation, deviation)


def flags(
    items: Sequence[Segmentation],
    ct: Volume | None = None,
    *,
    offsets: Mapping[tuple[str, str], tuple[Spread, Spread, Spread]] | None = None,
    **spreads: Spread,
) -> list[Flag]:
    """All flags of a scene. spreads: of the first organ's signs; others have none."""
    organ = items[0].organ
    measures = Measures(
        Priors({organ: {"volume": spread(np.log(BALL_CC), 9.0)} | spreads}, offsets or {}),
        Limits(dict.fromkeys(Family, LIMIT_SD), {}, {}),
    )
    found = judge_all(gather(ct or volume(), items, CATALOGUE), measures)
    return list(found.of(organ))


def changed(item: Segmentation, values: np.ndarray) -> Segmentation:
    assert item.field is not None
    return replace(item, field=replace(item.field, values=values.astype(np.float32)))


def values_of(item: Segmentation) -> np.ndarray:
    assert item.field is not None
    return item.field.values.copy()


def brick(organ: str, z: slice, y: slice, x: slice) -> Segmentation:
    values = np.zeros(SHAPE, dtype=np.float32)
    values[z, y, x] = 1.0
    return Segmentation(organ, Status.SEGMENTED, ProbabilityField(values, (0, 0, 0)))


LEFT_BALL = ball("Parotid_L", LEFT)


@provokes(FlagCode.PATIENT_UNDER_18)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Header: 12.5 years."""
    return flags([LEFT_BALL], volume(age_years=12.5))


@provokes(FlagCode.MOST_ORGANS_FLAGGED)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Three of four contours reach the edge of what their networks saw."""
    places = {"Parotid_L": LEFT, "Parotid_R": RIGHT, "Brainstem": STEM}
    items = [ball(organ, place, clipped=True) for organ, place in places.items()]
    return flags([*items, ball("Larynx", (0.0, -20.0, 20.0))])


@provokes(FlagCode.IMAGE_METAL)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Every voxel has 3000 HU, above the 2200 HU of metal; usual is none."""
    return flags([LEFT_BALL], volume(3000.0), metal=spread(0.0, 0.001))


@provokes(FlagCode.IMAGE_BRIGHT)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Every voxel has 400 HU, between 130 and 2200; usual is 10 %, at most 30 %."""
    return flags([LEFT_BALL], volume(400.0), bright=spread(0.1, 0.05))


@provokes(FlagCode.IMAGE_NOISE)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Noise of 80 HU, 40 HU once four voxels are averaged to the training CTs' pixels; limit 30."""
    noise = np.random.default_rng(1).normal(0.0, 80.0, SHAPE)
    ct = replace(volume(), hu=noise.astype(np.float32))
    return flags([LEFT_BALL], ct, noise=spread(10.0, 5.0))


@provokes(FlagCode.WRONG_SIDE)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The left parotid lies 55 mm to the right of the brainstem."""
    return flags([ball("Parotid_L", RIGHT), ball("Brainstem", STEM)])


@provokes(FlagCode.MISPLACED)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Both neighbours predict it 45 mm higher, where 5 mm are one standard deviation."""
    others = {"Parotid_R": (0.0, 0.0, 110.0), "Brainstem": (-40.0, -20.0, 55.0)}
    offsets = {
        ("Parotid_L", other): (spread(z, 5.0), spread(y, 5.0), spread(x, 5.0))
        for other, (z, y, x) in others.items()
    }
    low = ball("Parotid_L", (55.0, 0.0, 45.0))
    return flags([low, ball("Parotid_R", RIGHT), ball("Brainstem", STEM)], offsets=offsets)


@provokes(FlagCode.CENTRE_SHIFTED)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Contoured 15 mm above where it was localized; limit 8 mm."""
    moved = ball("Parotid_L", (55.0, 0.0, 105.0), localized=LEFT)
    return flags([moved], centre_z=spread(0.0, 2.0))


@provokes(FlagCode.VOLUME_HIGH)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """A ball of 24 mm has four times the volume of one of 15 mm; at most 2.2 times is usual."""
    return flags([ball("Parotid_L", LEFT, 24.0)], volume=spread(np.log(BALL_CC), 0.2))


@provokes(FlagCode.VOLUME_LOW)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """A ball of 9 mm has a fifth of the volume; at least 0.45 times is usual."""
    return flags([ball("Parotid_L", LEFT, 9.0)], volume=spread(np.log(BALL_CC), 0.2))


@provokes(FlagCode.PAIR_UNEQUAL)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Four times its partner's volume; at most exp(4 x 0.15) = 1.8 times is usual."""
    return flags([ball("Parotid_L", LEFT, 24.0), ball("Parotid_R", RIGHT)], pair=spread(0.0, 0.15))


@provokes(FlagCode.SEVERAL_PIECES)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The middle slice is empty: two halves."""
    return flags([_without_middle_slice()])


@provokes(FlagCode.EMPTY_SLICES)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The middle slice is empty."""
    return flags([_without_middle_slice()])


def _without_middle_slice() -> Segmentation:
    values = values_of(LEFT_BALL)
    values[len(values) // 2] = 0.0
    return changed(LEFT_BALL, values)


@provokes(FlagCode.OVERLAP)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Two organs in one place."""
    return flags([LEFT_BALL, ball("Glnd_Submand_L", LEFT)])


CANAL = (slice(10, 50), slice(70, 82), slice(68, 82))


def half_a_canal(**spreads: Spread) -> list[Flag]:
    """The lower half of a canal of 20 HU in 300 HU; the cord goes on through the upper half."""
    ct = volume(300.0)
    ct.hu[CANAL] = 20.0
    half = brick("SpinalCanal", slice(10, 30), *CANAL[1:])
    cord = brick("SpinalCord", slice(10, 50), slice(73, 79), slice(71, 79))
    return flags([half, cord], ct, **spreads)


@provokes(FlagCode.PART_OUTSIDE)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Half of the cord lies in the contour; at least 88 % is usual."""
    return half_a_canal(parts=spread(1.0, 0.03))


@provokes(FlagCode.ABRUPT_END)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """A brick is as wide at its upper end as in its middle; at most 60 % is usual."""
    return half_a_canal(end_superior=spread(0.2, 0.1))


@provokes(FlagCode.TISSUE_BEYOND)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """All voxels above the contour have its HU; at most 50 % is usual."""
    return half_a_canal(beyond_superior=spread(0.1, 0.1))


@provokes(FlagCode.CUT_SHORT)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Two signs of 3 standard deviations each, below their limits of 4: 6 / sqrt(2) = 4.2."""
    found = half_a_canal(end_superior=spread(0.7, 0.1), beyond_superior=spread(0.7, 0.1))
    assert not {FlagCode.ABRUPT_END, FlagCode.TISSUE_BEYOND} & {flag.code for flag in found}
    return found


def seen_on(first: int, last: int) -> Segmentation:
    """The left ball, localized on these slices."""
    assert LEFT_BALL.localization is not None
    return replace(LEFT_BALL, localization=replace(LEFT_BALL.localization, slices=(first, last)))


@provokes(FlagCode.END_SHORT)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Localized up to slice 45 (136.5 mm), contoured up to 105 mm; limit 16 mm."""
    return flags([seen_on(25, 45)], face_superior=spread(0.0, 4.0))


@provokes(FlagCode.END_BEYOND)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Localized up to slice 27 (82.5 mm), contoured up to 105 mm; limit 16 mm."""
    return flags([seen_on(25, 27)], face_superior=spread(0.0, 4.0))


@provokes(FlagCode.ODD_SHAPE)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """A plate of 3 x 60 x 60 mm: sphericity about 0.38; at least 0.7 is usual."""
    return flags(
        [brick("Parotid_L", slice(30, 31), slice(60, 90), slice(90, 120))],
        sphericity=spread(0.9, 0.05),
    )


@provokes(FlagCode.MEAN_HU)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """400 HU everywhere; at most 80 HU is usual."""
    return flags([LEFT_BALL], volume(400.0), mean_hu=spread(0.0, 20.0))


@provokes(FlagCode.HU_SPREAD)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Half of the ball has 400 HU, half 0: a standard deviation of 200 HU; at most 60 is usual."""
    return flags([LEFT_BALL], half(400.0), sd_hu=spread(20.0, 10.0))


@provokes(FlagCode.AIR_INSIDE)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Half of the ball is air; at most 4 % is usual."""
    return flags([LEFT_BALL], half(-1000.0), air=spread(0.0, 0.01))


def half(hu: float) -> Volume:
    """A CT with these HU above the left ball's middle, 0 HU below."""
    ct = volume()
    ct.hu[30:] = hu
    return ct


@provokes(FlagCode.UNSTABLE)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The network sees the left half of its patch only: another half once the patch is shifted."""
    store = store_of(tmp_path, LeftHalf())
    ct = sphere_volume({"Parotid_L": (40.0, 5.0, 0.0)})
    item = Segmenter(ct, localize(ct, store), store, shifts=True).segment("Parotid_L")
    return flags([item], ct, steady=spread(0.97, 0.01))


@provokes(FlagCode.LOW_CONFIDENCE)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """A probability of 0.6 throughout; at least 0.7 is usual."""
    return flags([ball("Parotid_L", LEFT, sure=0.6)], sure=spread(0.9, 0.05))


@provokes(FlagCode.BLURRED_BORDER)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Probabilities fall from 1 to 0 over 16 mm: about 16 x 0.7 bit mm; at most 3 is usual."""
    points = GRID.index_to_patient(np.moveaxis(np.indices(SHAPE), 0, -1))
    away = np.linalg.norm(points - np.asarray(LEFT), axis=-1)
    field = ProbabilityField(np.clip((23 - away) / 16, 0, 1).astype(np.float32), (0, 0, 0))
    return flags([replace(LEFT_BALL, field=field)], entropy=spread(1.0, 0.5))


@provokes(FlagCode.ORIENTATION_UNPROVEN)
def _(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The card of an imported network says that no CT has shown how its training images lay."""
    scan = sphere_volume({"Parotid_L": (40.0, 5.0, 3.0)})
    scan.hu[scan.hu == 0] = 1.0
    write_imported(tmp_path / "models" / "elsewhere", orientation_proof="unproven")
    store = ModelStore.open(tmp_path / "models", device="cpu")
    return Segmenter(scan, {}, store).segment("Parotid_L").flags


@provokes(FlagCode.NOT_COMMISSIONED)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """OARflow does not ship this network, and there is no record of it."""
    return SiteRecords().flagged(contoured(tmp_path)).flags


def with_second(item: Segmentation, second: Segmentation) -> Sequence[Flag]:
    """Flags of the second opinion of a network on a contour of the left parotid."""
    model = ModelIdentity("test/second", "1.0.0", "0" * 64)
    limits = DistanceLimits({}, 3.0, 1.5, "")
    organ = CATALOGUE.organ("Parotid_L")
    return with_opinion(item, replace(second, model=model), GRID, organ, limits).flags


@provokes(FlagCode.NETWORKS_DIFFER)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Another ball about the same centre: 21 mm instead of 15 mm, at most 3 mm apart."""
    return with_second(LEFT_BALL, ball("Parotid_L", LEFT, 21.0))


@provokes(FlagCode.SECOND_FOUND_NOTHING)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The second network finds nothing at all."""
    return with_second(LEFT_BALL, contoured(tmp_path, Blind()))


@provokes(FlagCode.SECOND_FAILED)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The second network runs on no image."""
    return with_second(LEFT_BALL, contoured(tmp_path, Broken()))


@provokes(FlagCode.ONLY_SECOND_FOUND)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The organ's network finds nothing, the second one a ball of 15 mm."""
    return with_second(contoured(tmp_path, Blind()), LEFT_BALL)


@provokes(FlagCode.PATCH_EDGE)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """A ball of 170 mm in a CT of 180 mm; the patch grows twice, to 158 mm."""
    store = store_of(tmp_path, patch_mm=16.0)
    ct = sphere_volume(
        {"Parotid_L": (0.0, 0.0, 0.0)},
        85.0,
        shape=(90, 180, 180),
        origin_lps=(-90.0, -90.0, -90.0),
    )
    seen = replace(localize(ct, store)["Parotid_L"], extent_mm=(150.0, 10.0, 10.0))
    return flags([Segmenter(ct, {"Parotid_L": seen}, store).segment("Parotid_L")], ct)


@provokes(FlagCode.FIELD_OF_VIEW)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """A ball of 12 mm about a point 2 mm above the lowest slice."""
    store = store_of(tmp_path)
    ct = sphere_volume({"Parotid_L": (40.0, 5.0, -58.0)})
    return Segmenter(ct, localize(ct, store), store).segment("Parotid_L").flags


def of_external(ct: Volume) -> Sequence[Flag]:
    found = external(RuleInput(ct, {}, lambda organ: None))["External"]
    assert isinstance(found, Outlined)
    return found.flags


def of_chest(organ: str, ct: Volume) -> Sequence[Flag]:
    found = chest(chests.given(ct))[organ]
    return found.flags if isinstance(found, Outlined) else (found.flag,) if found.flag else ()


@provokes(FlagCode.AREA_JUMP)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Shoulders of 300 cm2 lose what lies beside the neck from one slice to the next."""
    ct = sampled(patient)
    x, _y, z = points(ct)
    hidden = (np.abs(x) > 35) & (z < -62)
    return of_external(replace(ct, hu=np.where(hidden, np.float32(-1000), ct.hu)))


@provokes(FlagCode.DEVICE_TOUCHED)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Bars of 2 mm, 8 mm apart, stand on a quarter of the skin."""
    ct = sampled(patient)
    x, y, z = points(ct)
    bars = (np.mod(x, 8) < 2) & (np.abs(y) < 120) & ~shadow(x, y, z)
    return of_external(replace(ct, hu=np.where(bars, np.float32(100), ct.hu)))


@provokes(FlagCode.PARTS_LEFT_OUT)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Four slices of air between head and shoulders."""
    ct = sampled(patient)
    gap = np.abs(points(ct)[2] + 10) < 8
    return of_external(replace(ct, hu=np.where(gap, np.float32(-1000), ct.hu)))


@provokes(FlagCode.AIRWAY_LOST)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The airway is filled from 40 mm above the carina on."""
    ct = chests.scanned()
    x, y, z = points(ct)
    filled = (np.hypot(x, y + 20) < 40) & (z < 20)
    return of_chest("Trachea", replace(ct, hu=np.where(filled, np.float32(40), ct.hu)))


@provokes(FlagCode.LUNGS_TOUCH)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The whole chest is lung."""
    ct = chests.scanned()
    x, y, z = points(ct)
    one = chests.in_body(x * 1.2, y * 1.2, z) & (z < -5)
    return of_chest("Lungs", replace(ct, hu=np.where(one, np.float32(-820), ct.hu)))


@provokes(FlagCode.FREE_AIR)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The left lung holds nothing but air."""
    ct = chests.scanned()
    lung = chests.in_lung(*points(ct), 1)
    return of_chest("Lung_L", replace(ct, hu=np.where(lung, np.float32(-1000), ct.hu)))


@provokes(FlagCode.RULE_FOUND_NOTHING)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """A chest without lungs."""
    ct = chests.scanned()
    solid = np.where(chests.in_body(*points(ct)), np.float32(40), ct.hu)
    return of_chest("Lung_R", replace(ct, hu=solid))


@provokes(FlagCode.RULE_ERROR)
def _(_: Path, monkeypatch: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The rule raises an exception."""

    def broken(given: RuleInput) -> dict[str, Outlined | NotOutlined]:
        raise ValueError

    monkeypatch.setattr(ruled, "RULES", {"external": broken})
    card = RuleCard.model_validate(
        {"name": "x", "version": "1", "role": "rule", "rule": "external", "organs": ["External"]}
    )
    given = RuleInput(sampled(patient), {}, lambda organ: None)
    return ruled.Ruled(given).segment("External", card).flags


@provokes(FlagCode.NETWORK_ERROR)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The network runs on no image."""
    return contoured(tmp_path, Broken()).flags


@provokes(FlagCode.NOTHING_FOUND)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The localizer sees the ball, the network nothing at all."""
    return contoured(tmp_path, Blind()).flags


@provokes(FlagCode.ORGAN_TIME_LIMIT)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The time limit passed a second ago."""
    return contoured(tmp_path, seconds=-1.0).flags


@provokes(FlagCode.TOO_SMALL)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The ball has 7.2 cc; the network's card asks for 20 cc."""
    return contoured(tmp_path, least_cc=20.0).flags


@provokes(FlagCode.NO_SEARCH_REGION)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Neither the localizer nor other organs say where it is."""
    return contoured(tmp_path, localizations={}).flags


@provokes(FlagCode.NOT_IN_REGION)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Other organs predict it on the side without the ball, whose patch ends at 8 mm."""
    place = Localization(
        "Parotid_L", True, 0.0, (-40.0, 5.0, 0.0), (24.0,) * 3, (20, 40), by_neighbours=True
    )
    return contoured(tmp_path, localizations={"Parotid_L": place}).flags


@provokes(FlagCode.REGION_ORGAN_MISSING)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The gland is searched around a parotid that the CT does not show."""
    around = InputRegion(source="organ", organ="Parotid_L", grow_mm=17.0)
    write_model(tmp_path / "parotid", Near((100.0,)), organs=("Parotid_L",))
    write_model(tmp_path / "gland", Everywhere(), organs=("Glnd_Submand_L",), region_from=around)
    store = ModelStore.open(tmp_path, device="cpu")
    return Segmenter(sphere_volume({}), {}, store).segment("Glnd_Submand_L").flags


@provokes(FlagCode.NEEDS_MR)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The only network reads an MR, and the study has none."""
    ct = sphere_volume({"Parotid_L": (40.0, 5.0, 0.0)})
    return Segmenter(ct, {}, store_of_mr(tmp_path)).segment("Parotid_L").flags


@provokes(FlagCode.MR_NOT_USED)
def _(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Without SimpleITK nothing can be registered."""
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    ct = sphere_volume({"Parotid_L": (40.0, 5.0, 0.0)})
    mr, _ = registered(ct, ct)
    return list(mr_flags(mr, ("Parotid_L",), store_of_mr(tmp_path)))


@provokes(FlagCode.MR_NOT_REGISTERED)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """Noise has nothing in common with a head."""
    pytest.importorskip("SimpleITK")
    ct = read_volume(SAMPLE).volume
    mr, _ = registered(ct, noise_as_mr(ct))
    return list(mr_flags(mr, ("Parotid_L",), store_of_mr(tmp_path)))


@provokes(FlagCode.NO_OUTLINE)
def _(tmp_path: Path, _: pytest.MonkeyPatch) -> Sequence[Flag]:
    """One voxel just above the threshold has an outline smaller than any that is written."""
    speck = np.full((1, 1, 1), 0.5001, dtype=np.float32)
    return flags_of_writing(tmp_path, ProbabilityField(speck, (4, 30, 30)))


@provokes(FlagCode.SELF_CHECK_FAILED)
def _(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sequence[Flag]:
    """A quarter of the slices is lost between mask and file."""

    def careless(*args: Any, **kwargs: Any) -> tuple[StructureSet, ContourReport]:
        structures, report = structure_set(*args, **kwargs)
        rois = tuple(
            replace(roi, contours=roi.contours[:-2]) if roi.organ == "Parotid_L" else roi
            for roi in structures.rois
        )
        return replace(structures, rois=rois), report

    monkeypatch.setattr(proven, "structure_set", careless)
    cube = np.ones((8, 8, 8), dtype=np.float32)
    return flags_of_writing(tmp_path, ProbabilityField(cube, (4, 30, 30)))


def margin_flags(organ: Segmentation) -> Sequence[Flag]:
    """Flags of an organ with a margin."""
    return deriving.made([{"Made": {"grow": organ.organ, "mm": 3}}], organ)["Made"].flags


@provokes(FlagCode.PARENT_SUSPICIOUS)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The larynx has a flag of its own."""
    return margin_flags(deriving.organ("Larynx", deriving.BALL, Status.SUSPICIOUS))


@provokes(FlagCode.PARENT_TRUNCATED)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The field of view cuts the larynx."""
    return margin_flags(deriving.organ("Larynx", deriving.BALL, Status.TRUNCATED))


@provokes(FlagCode.PARENT_MISSING)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """There is no larynx."""
    return margin_flags(deriving.organ("Larynx", None, Status.ABSENT))


@provokes(FlagCode.NOTHING_LEFT)
def _(_: Path, __: pytest.MonkeyPatch) -> Sequence[Flag]:
    """A ball of 12 mm has nothing 20 mm below its surface."""
    organ = deriving.organ("Larynx", deriving.BALL)
    return deriving.made([{"Made": {"shrink": "Larynx", "mm": 20}}], organ)["Made"].flags


@provokes(FlagCode.RECIPE_ERROR)
def _(_: Path, monkeypatch: pytest.MonkeyPatch) -> Sequence[Flag]:
    """The program stops within the recipe."""
    monkeypatch.setattr("oarflow.derived.deriving.carried_out", lambda *args: 1 / 0)
    return margin_flags(deriving.organ("Larynx", deriving.BALL))
