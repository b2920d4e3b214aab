"""A finished run: its result.json and RTSTRUCT, read back for a report."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from oarflow.errors import ConfigurationError
from oarflow.intake import read_study, studies
from oarflow.organs import Catalogue
from oarflow.result import FILE_NAME, ResultDocument, ResultError, read_document
from oarflow.rtstruct.errors import ReadError
from oarflow.rtstruct.model import StructureSet
from oarflow.rtstruct.reader import read_structure_set
from oarflow.run.rois import requested_structures, roi_specs
from oarflow.run.settings import Settings, checked_settings
from oarflow.volume import Volume

REPORT_KINDS = ("REPORT_HTML", "REPORT_PDF", "ENCAPSULATED_PDF")


def read_result(folder: Path) -> ResultDocument:
    """The result.json of a folder. Raises ConfigurationError NO_RESULT."""
    try:
        return read_document((folder / FILE_NAME).read_bytes())
    except OSError as error:
        raise ConfigurationError(
            "NO_RESULT", f"cannot read {folder / FILE_NAME}: {error.strerror}"
        ) from error
    except ResultError as error:
        raise ConfigurationError("NO_RESULT", f"{folder / FILE_NAME}: {error}") from error


def without_reports(result: ResultDocument) -> ResultDocument:
    """The result without reports, as it was when the run wrote its own reports."""
    kept = tuple(item for item in result.outputs if item.kind not in REPORT_KINDS)
    stages = {name: value for name, value in result.run.stages.items() if name != "report"}
    run = result.run.model_copy(update={"stages": stages})
    return result.model_copy(update={"run": run, "outputs": kept})


def read_contours(folder: Path, result: ResultDocument, catalogue: Catalogue) -> StructureSet:
    """The run's RTSTRUCT, with each region's organ.

    Raises ConfigurationError: NO_RESULT where the file is missing or was changed since the run.
    """
    output = next(item for item in result.outputs if item.kind == "RTSTRUCT")
    path = folder / output.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError("NO_RESULT", f"cannot read {path}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != output.sha256:
        raise ConfigurationError("NO_RESULT", f"{path} is not the file that the run wrote")
    try:
        structures = read_structure_set(content)
    except ReadError as error:
        raise ConfigurationError("NO_RESULT", f"{path}: {error}") from error
    organs = _organs_by_name(result, catalogue)
    rois = tuple(replace(roi, organ=organs.get(roi.name)) for roi in structures.rois)
    return replace(structures, rois=rois)


def read_ct(folders: Sequence[Path], result: ResultDocument) -> Volume:
    """The CT that the run read.

    Raises Refusal as the intake does, ConfigurationError WRONG_CT for any other CT.
    """
    assert result.input is not None
    rules = settings_of(result).rules
    wanted = result.input.study_instance_uid
    for study in studies(folders):
        if study.uid == wanted:
            volume = read_study(study, rules).volume
            if volume.source.pixel_digest == result.input.pixel_sha256:
                return volume
            raise ConfigurationError("WRONG_CT", "the CT's voxels differ from those of the run")
    raise ConfigurationError("WRONG_CT", "the CT belongs to another study than the run's")


def settings_of(result: ResultDocument) -> Settings:
    """The settings of the run. Raises ConfigurationError SETTINGS."""
    return checked_settings(result.settings, FILE_NAME)


def _organs_by_name(result: ResultDocument, catalogue: Catalogue) -> Mapping[str, str]:
    settings = settings_of(result)
    organs = [part.name for part in result.organs if part.recipe is None]
    structures = requested_structures(settings, organs, catalogue)
    specs = roi_specs(settings, organs, structures, catalogue)
    return {spec.name: organ for organ, spec in specs.items()}
