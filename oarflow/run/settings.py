"""The settings of app.yaml with their defaults, checked. Unknown keys are errors."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from oarflow.derived.recipes import Structures
from oarflow.errors import ConfigurationError
from oarflow.intake import SeriesRule, SeriesRules
from oarflow.intake.mr import mr_rule
from oarflow.organs import Catalogue, Colour
from oarflow.rules.rule import RuleOptions
from oarflow.run.site_paths import read_with_paths
from oarflow.settings_files import checked
from oarflow.yaml_files import YamlError, parse_yaml

PACKAGER_KEYS = frozenset({"application", "resources"})
"""Keys of app.yaml for the MONAI Deploy packager only."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rois(_Section):
    """The site's own ROI names and colours."""

    prefix: str = ""
    """Text before every ROI name."""
    names: dict[str, str] = {}
    """ROI name by organ."""
    colours: dict[str, Colour] = {}
    """Colour by organ: red, green, blue, each 0 to 255."""


class Contours(_Section):
    """How masks become contours."""

    tolerance_mm: float = Field(default=0.02, ge=0, le=0.1)
    """How far (mm) the simplification may move a contour at most."""
    interpolate_gaps: int = Field(default=0, ge=0)
    """The program interpolates up to this many empty slices in a row within an organ."""


class ExternalSection(_Section):
    """The body's outline (External), the thickness of Skin, and clipping to External."""

    fill_cavities: bool = True
    """Whether External contains the air cavities of the body, such as sinuses and lungs."""
    skin_mm: float = Field(default=5.0, ge=1.0, le=20.0)
    """Thickness of `Skin`, from the body's surface inward."""
    clip: bool = False
    """Whether to cut off the parts of organs that lie outside External."""

    @property
    def rule_options(self) -> RuleOptions:
        """The part that the rules read."""
        return RuleOptions(self.fill_cavities, self.skin_mm)


class Outputs(_Section):
    """Files beside the RTSTRUCT. For a refused study, the HTML and PDF reports give the reason."""

    seg: bool = False
    """Write the organs as a DICOM SEG too."""
    report_html: bool = False
    """Write `report.html`."""
    report_pdf: bool = False
    """Write `report.pdf`."""
    report_dicom: bool = False
    """Write `report.dcm`: the PDF as a DICOM object of the study."""


class Settings(_Section):
    """The settings in force."""

    templates: str | None = None
    """Folder of templates: settings by kind of CT, chosen by the CT's header. `shipped`: those of
    OARflow. A relative folder is relative to the settings file. null: no templates."""
    organs: Literal["all"] | tuple[str, ...] = "all"
    """Organs to contour: a list of names or aliases. `all` means all that have a network or a rule,
    without `Skin`."""
    prefer: dict[str, str] = Field(default={}, exclude_if=lambda prefer: not prefer)
    """By organ, the network that contours it, for organs that have several networks, or a network
    and a rule. The name is one that `oarflow models` lists, or the name of the network's folder.
    Without an entry, the rule or the shipped network contours the organ ([how
    to](../how-to/two-networks.md))."""
    second_opinion: dict[str, str | tuple[str, ...]] = Field(
        default={}, exclude_if=lambda asked: not asked
    )
    """By organ, the name of another network or a list of names. Each of them contours the organ,
    too. The organ gets a flag if its contour and the other one differ. The contour of the other
    network is not written."""
    series: dict[str, Any] = {
        "select": [],
        "min_slices": 10,
        "max_oblique_degrees": 1.0,
        "expected_slices": None,
        "lossy": "note",
        "ignore_patient_position": False,
    }
    """Which series is the planning CT."""
    mr: dict[str, Any] = {
        "description": "",
        "image_type": [],
        "min_slices": 10,
        "max_slices": 1_000_000,
        "prefer": "most_slices",
    }
    """Which MR series is read, if a network reads an MR."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """Where the networks run. `auto` takes a CUDA device if there is one."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads of the networks. null: torch decides."""
    shifts: bool = True
    """Whether to run each network a second time, with a shifted patch, and flag unstable
    contours."""
    organ_seconds: float | None = Field(default=None, gt=0)
    """Time limit of each organ in seconds. An organ that exceeds it is `failed`. null: no limit."""
    run_seconds: int | None = Field(default=3600, ge=1)
    """Time limit of a run in seconds. A run that exceeds it ends with status 143 and writes
    nothing. With `oarflow segment --each-study`, the limit holds for each study. null: no limit."""
    memory_gb: float | None = Field(default=16.0, gt=0)
    """Limit of a study's peak memory in GiB, for the process and for the GPU each. A higher peak
    makes a remark in `result.json` and does not stop the run. With `strict`, the run then ends with
    status 4. null: no limit."""
    strict: bool = False
    """Whether to end doubtful runs with
    [status 4](exit-statuses.md#oarflow-segment-and-python-m-app)."""
    profile: str = "generic"
    """Planning system that receives the RTSTRUCT: `generic`, `eclipse`, `raystation`, `monaco`,
    `pinnacle` or `dicom`. See Profiles below."""
    label: str = "OARflow"
    """Structure set label, at most 16 characters."""
    rois: Rois = Rois()
    structures: Structures = Field(default=(), exclude_if=lambda structures: not structures)
    """Structures that are made from contours, each by a [recipe](structures.md)."""
    contours: Contours = Contours()
    external: ExternalSection = ExternalSection()
    outputs: Outputs = Outputs()
    precedence: tuple[str, ...] = ("Brainstem", "SpinalCord")
    """Organs that may not overlap. An organ keeps the voxels that it shares with organs after it in
    the list."""
    trusted_models: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] | None = None
    """If given, only networks with one of these SHA-256 are loaded. null: all that agree with their
    model cards."""
    commissioned: Path | None = None
    """The site's folder of commissioning records, relative to the settings file. Contours of a
    network that OARflow does not ship are flagged if it has no valid record; null: no records."""
    commissioned_key: Path | None = None
    """Public key (Ed25519, PEM), relative to the settings file. With it, only records that are
    signed with its private key are valid; null: signatures are not checked."""

    @property
    def rules(self) -> SeriesRules:
        """The rules that choose the CT series. Raises ConfigurationError."""
        return SeriesRules.from_settings(self.series)

    @property
    def mr_rule(self) -> SeriesRule:
        """The rule that chooses the MR series. Raises ConfigurationError."""
        return mr_rule(self.mr)

    def as_yaml(self) -> str:
        """The settings as YAML, like app.yaml."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def load_settings(path: Path | None, changes: Sequence[str] = ()) -> Settings:
    """Read app.yaml; path None: the defaults.

    changes: `key=value`, applied in their order on top of the file (see `changed`).

    Raises ConfigurationError (SETTINGS) with the file or `--set`, the key and the problem.
    """
    document = read_with_paths(path)
    settings = checked_settings(document, str(path))
    return checked_settings(changed(document, changes), "--set") if changes else settings


def changed(document: Mapping[Any, Any], changes: Iterable[str]) -> dict[str, Any]:
    """A document with other values for some keys, not yet checked.

    changes: `key=value`, with a dot between section and key, the value as YAML, such as
    `contours.tolerance_mm=0.05`, `organs=[Larynx]` or `organ_seconds=null`.
    Raises ConfigurationError (SETTINGS) with the key.
    """
    result = {str(key): value for key, value in document.items() if key not in PACKAGER_KEYS}
    for change in changes:
        key, equals, text = change.partition("=")
        *sections, last = parts = [part.strip() for part in key.split(".")]
        if not equals or not all(parts):
            raise ConfigurationError("SETTINGS", f"--set {change!r}: write key=value")
        if parts[0] in PACKAGER_KEYS:
            raise ConfigurationError("SETTINGS", f"--set {key}: only the packager reads this key")
        try:
            value = parse_yaml(text)
        except YamlError as error:
            raise ConfigurationError(
                "SETTINGS", f"--set {key}: not a YAML value: {error}"
            ) from error
        section = result
        for part in sections:
            inner = section.get(part)
            if not isinstance(inner, dict | None):
                raise ConfigurationError("SETTINGS", f"--set {key}: {part!r} has no keys")
            section[part] = section = dict(inner or {})
        section[last] = value
    return result


def checked_settings(document: Mapping[Any, Any], named: str) -> Settings:
    """The settings from a mapping like app.yaml. named: its origin, for error messages.

    Raises ConfigurationError (SETTINGS) with the key and the problem.
    """
    own = {str(key): value for key, value in document.items() if key not in PACKAGER_KEYS}
    settings = checked(Settings, own, named)
    _ = settings.rules, settings.mr_rule
    return settings


def requested_organs(
    settings: Settings, available: Iterable[str], catalogue: Catalogue
) -> tuple[str, ...]:
    """Catalogue names of the requested organs, in catalogue order, each once.

    available: organs with a network. Raises ConfigurationError: ORGAN_UNKNOWN for an unknown name,
    or for a network's organ that the catalogue lacks.
    """
    names = available if settings.organs == "all" else settings.organs
    found = {known_organ(name, catalogue) for name in names}
    if not found:
        raise ConfigurationError("ORGAN_UNKNOWN", "no organ is requested: see `organs`")
    return tuple(name for name in catalogue.names if name in found)


def precedence(settings: Settings, catalogue: Catalogue) -> tuple[str, ...]:
    """Catalogue names of `precedence`, in its order. Raises ConfigurationError ORGAN_UNKNOWN."""
    return tuple(dict.fromkeys(known_organ(name, catalogue) for name in settings.precedence))


def known_organ(name: str, catalogue: Catalogue) -> str:
    """The catalogue's name of an organ. Raises ConfigurationError ORGAN_UNKNOWN."""
    organ = catalogue.resolve(name)
    if organ is None:
        near = difflib.get_close_matches(name, catalogue.names, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ConfigurationError("ORGAN_UNKNOWN", f"unknown organ {name!r}{hint}")
    return organ.name
