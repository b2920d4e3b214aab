"""Profiles: the limits of planning systems as data. Also a site's names of organs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import resources
from typing import Any

from oarflow.errors import ConfigurationError
from oarflow.rtstruct.contours import (
    MAX_LABEL_LENGTH,
    SIMPLIFY_TOLERANCE_MM,
    ContourOptions,
    EmptyOrgan,
    HoleStyle,
)
from oarflow.rtstruct.specs import MAX_NAME_LENGTH, RoiSpec
from oarflow.yaml_files import parse_yaml

_FOLDER = resources.files("oarflow.rtstruct") / "profiles"
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+~^-]*")
_PREFIX = re.compile(rf"({_PLAIN_NAME.pattern})?")


class NameCharacters(StrEnum):
    """The characters that an ROI name may have.

    plain: a letter first, then letters, digits and _ - + ~ ^, as in TG-263. text: every printable
    character of the CT's character set.
    """

    PLAIN = "plain"
    TEXT = "text"


class Evidence(StrEnum):
    """Whether a limit is from a source, or is a safe assumption."""

    EVIDENCED = "evidenced"
    ASSUMED = "assumed"


@dataclass(frozen=True)
class Limit:
    """The origin of a limit's value."""

    evidence: Evidence
    source: str


@dataclass(frozen=True)
class Profile:
    """The limits of one planning system.

    name_length, label_length: greatest number of characters. decimals: of coordinates in mm.
    points_per_contour: greatest number. interpreted_types: supported RTROIInterpretedType values.
    character_set: always as_source, the CT's, because a name in another encoding may not match.
    limits: evidence by field.
    """

    name: str
    title: str
    name_length: int
    name_characters: NameCharacters
    label_length: int
    decimals: int
    points_per_contour: int
    hole_style: HoleStyle
    interpreted_types: tuple[str, ...]
    empty_organ: EmptyOrgan
    character_set: str
    limits: Mapping[str, Limit] = field(repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.name_length <= MAX_NAME_LENGTH:
            raise ValueError(f"name_length {self.name_length} is not within 1 to 64")
        if not 1 <= self.label_length <= MAX_LABEL_LENGTH:
            raise ValueError(f"label_length {self.label_length} is not within 1 to 16")
        if self.character_set != "as_source":
            raise ValueError(f"character_set {self.character_set!r} must be as_source")
        if self.points_per_contour < 1:
            raise ValueError(f"points_per_contour {self.points_per_contour} is below 1")

    def contour_options(
        self, tolerance_mm: float = SIMPLIFY_TOLERANCE_MM, interpolate_gaps: int = 0
    ) -> ContourOptions:
        """The options for contours of this system."""
        return ContourOptions(
            tolerance_mm=tolerance_mm,
            decimals=self.decimals,
            hole_style=self.hole_style,
            empty_organ=self.empty_organ,
            max_points=self.points_per_contour,
            interpolate_gaps=interpolate_gaps,
        )

    def check_name(self, name: str) -> None:
        """Raise ConfigurationError (ROI_NAMES) for a name that this system does not accept."""
        if self.name_characters is NameCharacters.PLAIN and not _PLAIN_NAME.fullmatch(name):
            raise ConfigurationError(
                "ROI_NAMES",
                f"ROI name {name!r} must start with a letter and have only letters, digits and "
                f"_ - + ~ ^ (profile {self.name})",
            )
        if len(name) > self.name_length:
            raise ConfigurationError(
                "ROI_NAMES",
                f"ROI name {name!r} has {len(name)} characters, profile {self.name} allows "
                f"{self.name_length}: use a shorter name",
            )

    def check_label(self, label: str) -> None:
        """Raise ConfigurationError (STRUCTURE_LABEL) for a label that is not accepted."""
        plain = label.isascii() and label.isprintable() and "\\" not in label
        if not plain or not 0 < len(label.strip()) == len(label) <= self.label_length:
            raise ConfigurationError(
                "STRUCTURE_LABEL",
                f"label {label!r} must be 1 to {self.label_length} plain ASCII characters "
                f"(profile {self.name})",
            )


def profile_names() -> tuple[str, ...]:
    """Names of the profiles that come with OARflow."""
    files = _FOLDER.iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


def load_profile(name: str) -> Profile:
    """A profile by name. Raises ConfigurationError (PROFILE_UNKNOWN) with the valid names."""
    if name not in profile_names():
        raise ConfigurationError(
            "PROFILE_UNKNOWN", f"unknown profile {name!r}: use one of {', '.join(profile_names())}"
        )
    text = (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    return parse_profile(parse_yaml(text))


def parse_profile(document: Mapping[str, Any]) -> Profile:
    """A profile from its document. Raises ConfigurationError (PROFILE_INVALID)."""
    try:
        limits = document["limits"]
        value = {key: entry["value"] for key, entry in limits.items()}
        return Profile(
            name=str(document["name"]),
            title=str(document["title"]),
            name_length=int(value.pop("name_length")),
            name_characters=NameCharacters(value.pop("name_characters")),
            label_length=int(value.pop("label_length")),
            decimals=int(value.pop("decimals")),
            points_per_contour=int(value.pop("points_per_contour")),
            hole_style=HoleStyle(value.pop("hole_style")),
            interpreted_types=tuple(value.pop("interpreted_types")),
            empty_organ=EmptyOrgan(value.pop("empty_organ")),
            character_set=str(value.pop("character_set")),
            limits={
                key: Limit(Evidence(entry["evidence"]), str(entry["source"]))
                for key, entry in limits.items()
            },
            **value,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError("PROFILE_INVALID", f"profile: {error}") from error


@dataclass(frozen=True)
class SiteNames:
    """A site's own names and colours by organ, and a prefix for every name."""

    prefix: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)


def site_specs(
    specs: Mapping[str, RoiSpec],
    profile: Profile,
    site: SiteNames | None = None,
    organs: Collection[str] | None = None,
) -> dict[str, RoiSpec]:
    """Specs under a site's names and colours, each checked against the profile, in the same order.

    organs: the only ones that are needed and checked; None for all. The prefix comes before mapped
    names too. Nothing is cut: a name is an error if it is too long, equals another (letter case
    aside) or has a character that is not allowed. A mapping for an organ outside specs is an error
    too.

    Raises ConfigurationError (ROI_NAMES).
    """
    site = site or SiteNames()
    _check_mapping(specs, site)
    result: dict[str, RoiSpec] = {}
    seen: dict[str, str] = {}
    for organ, spec in specs.items():
        if organs is not None and organ not in organs:
            continue
        name = site.prefix + site.names.get(organ, spec.name)
        profile.check_name(name)
        try:
            mapped = replace(spec, name=name, colour=site.colours.get(organ, spec.colour))
        except ValueError as error:
            raise ConfigurationError("ROI_NAMES", str(error)) from error
        if spec.interpreted_type not in profile.interpreted_types:
            raise ConfigurationError(
                "ROI_NAMES",
                f"interpreted type {spec.interpreted_type!r} of {organ} is not one of "
                f"{', '.join(profile.interpreted_types)} (profile {profile.name})",
            )
        if (other := seen.setdefault(name.lower(), organ)) != organ:
            raise ConfigurationError("ROI_NAMES", f"{other} and {organ} are both named {name!r}")
        result[organ] = mapped
    return result


def _check_mapping(specs: Mapping[str, RoiSpec], site: SiteNames) -> None:
    unknown = sorted({*site.names, *site.colours} - set(specs))
    if unknown:
        raise ConfigurationError(
            "ROI_NAMES", f"names or colours for unknown organs: {', '.join(unknown)}"
        )
    if not _PREFIX.fullmatch(site.prefix):
        raise ConfigurationError(
            "ROI_NAMES",
            f"prefix {site.prefix!r} must start with a letter and have only letters, digits and "
            "_ - + ~ ^",
        )
