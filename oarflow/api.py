"""Contours from Python: `oarflow.contour`, without MONAI Deploy."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from oarflow import pipeline
from oarflow.clock import run_time
from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.flags.flag import Flag
from oarflow.geometry import Grid
from oarflow.intake import read_volume
from oarflow.pipeline import Observer, Study
from oarflow.result import FILE_NAME, OrganPart, ResultDocument
from oarflow.run.delivery import Delivery, Parcel, require_room
from oarflow.run.layers import SettingsLayers
from oarflow.run.outcome import Outcome, conclude
from oarflow.run.paths import config_path, models_path
from oarflow.run.progress import Silent
from oarflow.run.settings import Settings
from oarflow.run.setups import TemplateSetups
from oarflow.structures import Segmentation, Status

if TYPE_CHECKING:
    import SimpleITK


def contour(
    folder: str | Path,
    *,
    organs: Sequence[str] | None = None,
    models: str | Path | None = None,
    settings: Settings | Mapping[str, Any] | str | Path | None = None,
    context: Mapping[str, str] | None = None,
    progress: Observer | None = None,
) -> Result:
    """Contour the planning CT in a folder of DICOM files.

    organs: catalogue names or aliases; None for every organ that has a network or a rule, without
    Skin. models: folder of networks; None for those of the installation. settings: as in app.yaml:
    a mapping, a file or Settings; None for the defaults. context: values for the rules of
    templates, such as {"calling_ae": "CT1"}. progress: an observer that is called for each stage
    and organ.

    Raises Refusal (with its `code`) where the input cannot be contoured safely, ConfigurationError
    where models or settings are wrong, Fault where the program failed its own check.
    """
    started = time.monotonic()
    layers = _layers(settings)
    if organs is not None:
        named = [organs] if isinstance(organs, str) else list(organs)
        layers = replace(layers, changes=(f"organs={json.dumps(named)}",))
    setups = TemplateSetups.of(
        models_path(None if models is None else Path(models), os.environ),
        layers,
        run_time(),
        started,
        context or {},
    )
    source = Path(folder).resolve()
    if not source.is_dir():
        raise ConfigurationError("NO_INPUT", f"input {source} is not a folder")
    with tempfile.TemporaryDirectory(prefix="oarflow-") as room:
        rules = setups.plain.settings.rules
        task = setups.task(partial(read_volume, source, rules), Path(room))
        before = Study(seconds={"start": time.monotonic() - started})
        study = pipeline.run(before, task, progress or Silent())
        outcome = conclude(study, study.task or task, setups.of_study(study))
        if outcome.study.error is not None:
            raise outcome.study.error
        return Result(outcome, source)


@dataclass(frozen=True, eq=False)
class ContouredOrgan:
    """One organ of a result.

    mask: bool (z, y, x) on the CT's grid, index growing to the head, back and left; all False
    where the organ is not written. volume_cc: of the mask.
    """

    name: str
    status: Status
    flags: tuple[Flag, ...]
    volume_cc: float
    mask: NDArray[np.bool_]


class Result(Mapping[str, ContouredOrgan]):
    """The organs of one study by name, and the files that passed the self-check.

    document: the content of result.json. hu: the CT, float32 HU (z, y, x). grid: where its voxels
    lie in patient space (LPS, mm).
    """

    def __init__(self, outcome: Outcome, source: Path) -> None:
        volume = outcome.study.read.volume
        self.document: ResultDocument = outcome.document
        self.hu = volume.hu
        self.grid: Grid = volume.grid
        self._source = source
        self._files = {item.name: item.path.read_bytes() for item in outcome.files}
        self._parts: dict[str, OrganPart] = {part.name: part for part in self.document.organs}
        self._segmentations: dict[str, Segmentation] = {
            found.organ: found for found in outcome.study.segmentations
        }

    def __getitem__(self, organ: str) -> ContouredOrgan:
        part = self._parts[organ]
        return ContouredOrgan(
            organ, part.status, part.flags, part.volume_cc, self._mask(self._segmentations[organ])
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def study_flags(self) -> tuple[Flag, ...]:
        """Flags of the whole study, such as the patient's age. They concern all organs."""
        return self.document.study_flags

    @property
    def exit_status(self) -> ExitStatus:
        """The exit status that the command line ends with."""
        return ExitStatus(self.document.exit_status)

    def to_sitk(self, organ: str) -> SimpleITK.Image:
        """An organ's mask as a SimpleITK image (uint8, 0 and 1) in patient space (LPS, mm).

        Raises KeyError for an organ that was not requested, ValueError where the CT's slices are
        unevenly spaced, ImportError without the extra `sitk`.
        """
        from oarflow.sitk import sitk_image

        return sitk_image(self[organ].mask, self.grid)

    def save(self, folder: str | Path) -> tuple[Path, ...]:
        """Write the checked files and result.json into a folder. Returns their paths.

        The folder is created if it does not exist; it must hold no result.json and no .dcm files.
        SEG and reports are written if the settings ask for them. Raises ConfigurationError
        (OUTPUT_IN_USE, OUTPUT_NOT_WRITABLE, OUTPUT_OVERLAPS_INPUT).
        """
        out = Path(folder).resolve()
        delivery = Delivery.open(out, self._source)
        try:
            staging = delivery.room("copy")
            named = tuple((name, staging / f"{name}.part") for name in self._files)
            for name, copy in named:
                copy.write_bytes(self._files[name])
            delivery.commit(Parcel(out, named, self.document.as_json()))
        except OSError as error:
            require_room(error)
            raise
        finally:
            delivery.abandon()
        return (*(out / name for name in self._files), out / FILE_NAME)

    def _mask(self, segmentation: Segmentation) -> NDArray[np.bool_]:
        if segmentation.field is None:
            return np.zeros(self.hu.shape, dtype=bool)
        return segmentation.field.full_mask(self.hu.shape)


def _layers(given: Settings | Mapping[str, Any] | str | Path | None) -> SettingsLayers:
    if isinstance(given, Settings):
        return SettingsLayers.of(given)
    if isinstance(given, Mapping):
        return SettingsLayers(given, "settings")
    return SettingsLayers.read(config_path(None if given is None else Path(given), os.environ))
