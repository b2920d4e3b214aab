"""Signs beyond their limits, and the flags that they raise."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from oarflow.faces import FACES
from oarflow.flags.codes import FlagCode
from oarflow.flags.definition import Value
from oarflow.flags.flag import Flag
from oarflow.plausibility.evidence import Contour, Scene
from oarflow.plausibility.limits import Measures
from oarflow.plausibility.signs import AXES, SIGNS, Family, least_held, signs
from oarflow.structures import Side


@dataclass(frozen=True)
class Exceeded:
    """One sign of one contour beyond its limit.

    value, usual (the median), limit: in the sign's own unit. score: of the value, in standard
    deviations from the median.
    """

    sign: str
    value: float
    usual: float
    limit: float
    score: float

    @property
    def high(self) -> bool:
        """Whether the value is too high, not too low."""
        return self.score > 0

    @property
    def bound(self) -> str:
        """The limit's kind, in words."""
        return "at most" if self.high else "at least"


Values = dict[str, Value]

Raised = tuple[FlagCode, Values]
"""A flag's code and values."""


def exceeded(
    contour: Contour, scene: Scene, measures: Measures, families: Collection[Family]
) -> Iterator[Exceeded]:
    """The contour's signs of these families that are beyond the limit of their family."""
    judged = signs(contour, scene)
    for name, sign in SIGNS.items():
        spread = measures.spread(contour.item.organ, name)
        limit = measures.limits.families.get(sign.family)
        if sign.family not in families or name not in judged or spread is None or limit is None:
            continue
        score = spread.score(judged[name])
        if (sign.high and score > limit) or (sign.low and score < -limit):
            bound = spread.bound(limit if score > 0 else -limit)
            yield Exceeded(name, judged[name], spread.median, bound, score)


def flags_of(found: Iterable[Exceeded], contour: Contour, scene: Scene) -> Iterator[Flag]:
    """One flag per code. If several signs have the same code, the worst one gives the figure.

    A flag about sides or directions lists all of them.
    """
    raised: dict[FlagCode, list[tuple[float, Values]]] = {}
    for one in found:
        code, values = _RAISES[one.sign](one, contour, scene)
        raised.setdefault(code, []).append((abs(one.score), values))
    for code, every in raised.items():
        yield Flag.of(code, **worst_of(code, every))


def worst_of(code: FlagCode, every: list[tuple[float, Values]]) -> Values:
    """The values with the greatest score, with lists of all sides and their figures."""
    ordered = [values for _, values in sorted(every, key=lambda pair: -pair[0])]
    worst = dict(ordered[0])
    for name, plural in _LISTED.get(code, {}).items():
        texts = [value for one in ordered if isinstance(value := one[name], str)]
        figures = [value for one in ordered if isinstance(value := one[name], int | float)]
        worst[plural] = texts or figures
    return worst


_LISTED: Mapping[FlagCode, Mapping[str, str]] = {
    FlagCode.MISPLACED: {"shift_mm": "shifts_mm", "direction": "directions"},
    FlagCode.CENTRE_SHIFTED: {"shift_mm": "shifts_mm", "direction": "directions"},
    FlagCode.END_SHORT: {"side": "sides", "difference_mm": "differences_mm"},
    FlagCode.END_BEYOND: {"side": "sides", "difference_mm": "differences_mm"},
    FlagCode.ABRUPT_END: {"side": "sides", "width_share": "width_shares"},
    FlagCode.TISSUE_BEYOND: {"side": "sides", "similar_share": "similar_shares"},
    FlagCode.CUT_SHORT: {"side": "sides", "deviation_sd": "deviations_sd"},
}
"""A flag's lists of all sides or directions, by the name of the worst one's value."""


def _volume(one: Exceeded, contour: Contour, scene: Scene) -> Raised:
    return volume_flag(contour.facts.volume_cc, math.exp(one.limit), high=one.high)


def volume_flag(volume_cc: float, limit_cc: float, *, high: bool) -> Raised:
    """A volume beyond a limit."""
    code = FlagCode.VOLUME_HIGH if high else FlagCode.VOLUME_LOW
    return code, {"volume_cc": volume_cc, "limit_cc": limit_cc}


def _pair(one: Exceeded, contour: Contour, scene: Scene) -> Raised:
    partner = contour.organ.partner if contour.organ else None
    return FlagCode.PAIR_UNEQUAL, {
        "ratio": math.exp(one.value),
        "partner": str(partner),
        "bound": one.bound,
        "limit_ratio": math.exp(one.limit),
    }


def _end(one: Exceeded, contour: Contour, scene: Scene) -> Raised:
    return FlagCode.ABRUPT_END, {
        "side": _side(one),
        "width_share": one.value,
        "usual_share": one.usual,
        "limit_share": one.limit,
    }


def _beyond(one: Exceeded, contour: Contour, scene: Scene) -> Raised:
    return FlagCode.TISSUE_BEYOND, {
        "side": _side(one),
        "similar_share": one.value,
        "usual_share": one.usual,
        "limit_share": one.limit,
    }


def _side(one: Exceeded) -> str:
    return one.sign.rsplit("_", maxsplit=1)[1]


def _parts(one: Exceeded, contour: Contour, scene: Scene) -> Raised:
    least = least_held(contour, scene)
    assert least is not None
    return FlagCode.PART_OUTSIDE, {
        "share": one.value,
        "part": least[1],
        "limit_share": one.limit,
    }


def _centre(one: Exceeded, contour: Contour, scene: Scene) -> Raised:
    low, high = FACES[AXES.index(_side(one))]
    return FlagCode.CENTRE_SHIFTED, {
        "shift_mm": abs(one.value),
        "direction": (high if one.value > 0 else low).value,
        "limit_mm": abs(one.limit),
    }


def _face(one: Exceeded, contour: Contour, scene: Scene) -> Raised:
    outward_is_high = _side(one) in {high.value for _, high in FACES}
    code = FlagCode.END_BEYOND if one.high == outward_is_high else FlagCode.END_SHORT
    return code, {
        "side": _side(one),
        "difference_mm": abs(one.value - one.usual),
        "limit_mm": abs(one.limit - one.usual),
    }


def _mean_hu(one: Exceeded, contour: Contour, scene: Scene) -> Raised:
    return FlagCode.MEAN_HU, {"mean_hu": one.value, "bound": one.bound, "limit_hu": one.limit}


def _entropy(one: Exceeded, contour: Contour, scene: Scene) -> Raised:
    return FlagCode.BLURRED_BORDER, {
        "entropy_bit_mm": one.value,
        "usual_bit_mm": one.usual,
        "limit_bit_mm": one.limit,
        "times_limit": one.value / one.limit,
    }


def _as(code: FlagCode, value: str, limit: str, usual: str = "") -> Callable[..., Raised]:
    """A function that makes a flag from a figure, its limit and, if named, the usual value."""

    def raised(one: Exceeded, contour: Contour, scene: Scene) -> Raised:
        values: Values = {value: one.value, limit: one.limit}
        return code, values | ({usual: one.usual} if usual else {})

    return raised


_RAISES: Mapping[str, Callable[[Exceeded, Contour, Scene], Raised]] = {
    "volume": _volume,
    "pair": _pair,
    **{f"end_{side.value}": _end for side in Side},
    **{f"beyond_{side.value}": _beyond for side in Side},
    "parts": _parts,
    "sphericity": _as(FlagCode.ODD_SHAPE, "sphericity", "limit"),
    "mean_hu": _mean_hu,
    "sd_hu": _as(FlagCode.HU_SPREAD, "sd_hu", "limit_hu"),
    "air": _as(FlagCode.AIR_INSIDE, "air_share", "limit_share"),
    **{f"centre_{name}": _centre for name in AXES},
    **{f"face_{side.value}": _face for side in Side},
    "sure": _as(FlagCode.LOW_CONFIDENCE, "probability", "limit_probability", "usual_probability"),
    "steady": _as(FlagCode.UNSTABLE, "dice", "limit_dice", "usual_dice"),
    "entropy": _entropy,
}
"""By sign. Signs of the image concern the whole study (oarflow.plausibility.study)."""
