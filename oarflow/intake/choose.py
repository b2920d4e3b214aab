"""Chooses the planning CT among the series by the settings' rules."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np

from oarflow.errors import Code, ConfigurationError, Finding
from oarflow.intake.headers import InstanceHeader, frame_of
from oarflow.intake.limits import (
    MAX_OBLIQUE_DEGREES,
    MIN_SLICES,
)
from oarflow.intake.scan import FileRecord
from oarflow.patterns import check_expression, is_found

UID_DIGITS = 8
"""Number of last digits of a Series Instance UID that identify a series in a message."""


class Prefer(StrEnum):
    """Which of several series that fit a rule is chosen."""

    NONE = "none"
    MOST_SLICES = "most_slices"
    THINNEST_SLICES = "thinnest_slices"


class Lossy(StrEnum):
    """How a CT that was compressed with loss is handled."""

    NOTE = "note"
    REFUSE = "refuse"


@dataclass(frozen=True)
class SeriesRule:
    """Conditions on a series; all given conditions must hold.

    Raises ConfigurationError for an invalid, overlong or nested pattern.
    """

    modality: str = "CT"
    """Modality of the series. Only CT can be chosen."""
    description: str = ""
    """Regular expression that must occur in Series Description, in upper or lower case."""
    image_type: tuple[str, ...] = ()
    """Values that Image Type must contain, all of them."""
    min_slices: int = 0
    """Smallest number of slices."""
    max_slices: int = 1_000_000
    """Greatest number of slices."""
    prefer: Prefer = Prefer.NONE
    """Which series to take if several fit. With `none` the choice is ambiguous."""

    def __post_init__(self) -> None:
        try:
            check_expression(self.description)
        except ValueError as error:
            raise _wrong(f"description {error}") from error

    def fits(self, series: Sequence[FileRecord]) -> bool:
        """Whether a series fulfils every condition."""
        header = _header(series[0])
        words = {value.upper() for value in self.image_type}
        return (
            (header.modality or "CT") == self.modality.upper()
            and self.min_slices <= len(series) <= self.max_slices
            and words <= set(header.image_type)
            and is_found(self.description, header.series_description)
        )


@dataclass(frozen=True)
class SeriesRules:
    """How the planning CT is chosen, and which defects are accepted.

    In app.yaml, where every key may be left out::

        series:
          select:
            - {description: "planning|RT", image_type: [ORIGINAL, AXIAL], min_slices: 40}
            - {prefer: most_slices}
          min_slices: 10
          max_oblique_degrees: 1.0
          lossy: note
    """

    select: tuple[SeriesRule, ...] = ()
    """Rules in order. The first rule that fits a series decides. Without rules, the program takes
    the only CT series with at least `min_slices` slices."""
    min_slices: int = MIN_SLICES
    """A series with fewer slices is refused."""
    max_oblique_degrees: float = MAX_OBLIQUE_DEGREES
    """Greatest accepted angle between the slices and the axial plane."""
    expected_slices: int | None = None
    """Number of slices that the sender announced. A series with fewer slices is refused. null:
    unknown."""
    lossy: Lossy = Lossy.NOTE
    """Whether a CT that was compressed with loss gets a note or is refused."""
    ignore_patient_position: bool = False
    """Whether to accept a Patient Position that contradicts the orientation."""

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> SeriesRules:
        """From the mapping under `series` in app.yaml. Raises ConfigurationError."""
        values = _known(settings, cls)
        rules = values.pop("select", ()) or ()
        if not isinstance(rules, Sequence) or not all(isinstance(rule, Mapping) for rule in rules):
            raise _wrong("select must be a list of rules")
        try:
            if "lossy" in values:
                values["lossy"] = Lossy(str(values["lossy"]))
            return cls(select=tuple(_rule(rule) for rule in rules), **values)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise _wrong(str(error)) from error


DEFAULT_RULES = SeriesRules()
"""The default rules: the only CT series of a folder, axial and complete."""


def _rule(settings: Mapping[str, object]) -> SeriesRule:
    values = _known(settings, SeriesRule)
    words = values.get("image_type", ())
    if isinstance(words, str):
        words = (words,)
    if not isinstance(words, Sequence) or not all(isinstance(word, str) for word in words):
        raise _wrong("image_type must be a list of words")
    values["image_type"] = tuple(words)
    values["prefer"] = Prefer(str(values.get("prefer", "none")))
    return SeriesRule(**values)  # type: ignore[arg-type]


def _known(settings: Mapping[str, object], of: type) -> dict[str, object]:
    """The settings, if each key is a field of `of` and its value has that field's type."""
    defaults = {item.name: item.default for item in fields(of)}
    for key, value in settings.items():
        if key not in defaults:
            raise _wrong(f"unknown key {key!r}; known are {', '.join(defaults)}")
        numeric = isinstance(defaults[key], int | float) or defaults[key] is None
        if numeric and value is not None and not isinstance(value, int | float):
            raise _wrong(f"{key} must be a number or true or false")
        if isinstance(defaults[key], str) and not isinstance(value, str):
            raise _wrong(f"{key} must be a text")
    return dict(settings)


def _wrong(message: str) -> ConfigurationError:
    return ConfigurationError("SERIES_RULES", f"series rules: {message}")


@dataclass(frozen=True, eq=False)
class Choice:
    """The chosen series, or findings that prevent a choice; notes on the other series."""

    series: tuple[FileRecord, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def choose(slices: Sequence[FileRecord], rules: SeriesRules) -> Choice:
    """Choose one series among CT slices with headers."""
    grouped: dict[str, list[FileRecord]] = defaultdict(list)
    for record in slices:
        grouped[_header(record).series_uid].append(record)
    every = sorted(grouped.values(), key=lambda s: (-len(s), _header(s[0]).series_uid))
    fitting = _fitting(every, rules)
    if not fitting:
        return Choice(findings=(_no_series(every, rules),))
    if len(fitting) > 1:
        listed = "; ".join(_series_in_words(series) for series in fitting)
        return Choice(findings=(Finding(Code.AMBIGUOUS_SERIES, f"candidates: {listed}"),))
    left = [series for series in every if series is not fitting[0]]
    return Choice(
        series=tuple(fitting[0]),
        notes=tuple(f"not chosen: {_series_in_words(series)}" for series in left),
    )


def _fitting(every: Sequence[list[FileRecord]], rules: SeriesRules) -> list[list[FileRecord]]:
    if not rules.select:
        return [series for series in every if len(series) >= rules.min_slices]
    for rule in rules.select:
        fitting = [series for series in every if rule.fits(series)]
        if fitting:
            return preferred(fitting, rule.prefer)
    return []


def preferred(fitting: list[list[FileRecord]], prefer: Prefer) -> list[list[FileRecord]]:
    """The first series by the rule's preference; several if they are equal."""
    if prefer == Prefer.MOST_SLICES:
        most = max(len(series) for series in fitting)
        return [series for series in fitting if len(series) == most]
    if prefer == Prefer.THINNEST_SLICES:
        distances = [_slice_distance_mm(series) for series in fitting]
        thinnest = min(distances)
        return [s for s, mm in zip(fitting, distances, strict=True) if mm <= thinnest * 1.01]
    return fitting


def _slice_distance_mm(series: Sequence[FileRecord]) -> float:
    """Mean distance between slices; infinite without valid positions."""
    headers = [_header(record) for record in series]
    normals = [frame_of(h.orientation)[2] for h in headers if h.orientation is not None]
    if not normals or len(headers) < 2:
        return float("inf")
    offsets = [float(normals[0] @ h.position_lps) for h in headers if h.position_lps is not None]
    extent = max(offsets) - min(offsets) if offsets else 0.0
    return extent / (len(headers) - 1) if extent > 0 else float("inf")


def _no_series(every: Sequence[list[FileRecord]], rules: SeriesRules) -> Finding:
    listed = "; ".join(_series_in_words(series) for series in every)
    if rules.select:
        return Finding(Code.NO_MATCHING_SERIES, f"CT series present: {listed}")
    return Finding(Code.TOO_FEW_SLICES, f"at least {rules.min_slices} are needed; {listed}")


def _series_in_words(series: Sequence[FileRecord]) -> str:
    """Number, slices, their distance and the UID's last digits: no text that a person typed."""
    header = _header(series[0])
    number = header.series_number
    name = f"series {int(number)}" if re.fullmatch(r"\d{1,9}", number) else "series without number"
    said = f"{name}, {len(series)} slice{'s' if len(series) != 1 else ''}"
    distance = _slice_distance_mm(series)
    if np.isfinite(distance):
        said += f" {distance:.2f} mm apart"
    digits = re.sub(r"\D", "", header.series_uid)[-UID_DIGITS:]
    return f"{said}, UID ending in {digits}" if digits else said


def _header(record: FileRecord) -> InstanceHeader:
    if record.header is None:
        raise ValueError("a slice has a header")
    return record.header
