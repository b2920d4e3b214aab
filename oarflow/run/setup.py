"""The parts that all studies of a run share, checked before the input is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from oarflow.derived.structures import DerivedStructure
from oarflow.errors import ConfigurationError
from oarflow.intake import Intake
from oarflow.networks.store import ModelStore
from oarflow.organs import Catalogue, CatalogueError, load_catalogue
from oarflow.pipeline import Progress, Task
from oarflow.rtstruct.profile import load_profile
from oarflow.rtstruct.provenance import Provenance, settings_digest
from oarflow.run.reports import Reports
from oarflow.run.rois import requested_structures, roi_specs
from oarflow.run.settings import Settings, precedence, requested_organs
from oarflow.writing.proven import WritePlan


@dataclass(frozen=True)
class Setup:
    """Networks, catalogue, names and reports of a run.

    when: the run's time. started: time.monotonic() of the process's start.
    """

    settings: Settings
    store: ModelStore
    organs: tuple[str, ...]
    structures: tuple[DerivedStructure, ...]
    precedence: tuple[str, ...]
    catalogue: Catalogue
    plan: Callable[[Path], WritePlan]
    reports: Reports
    device: str
    when: datetime
    started: float

    @classmethod
    def of(cls, models: Path, settings: Settings, when: datetime, started: float) -> Setup:
        """Load and check all that does not depend on the input. Raises ConfigurationError."""
        profile = load_profile(settings.profile)
        profile.check_label(settings.label)
        try:
            catalogue = load_catalogue(models)
        except CatalogueError as error:
            raise ConfigurationError("CATALOGUE", str(error)) from error
        trusted = settings.trusted_models
        store = ModelStore.open(
            models,
            None if trusted is None else frozenset(trusted),
            settings.device,
            settings.threads,
        )
        organs = requested_organs(settings, store.organs, catalogue)
        structures = requested_structures(settings, organs, catalogue)
        specs = roi_specs(settings, organs, structures, catalogue)
        device = _device_name(store.device)
        provenance = Provenance(
            settings_digest(settings.model_dump(mode="json")),
            device,
            tuple(card.identity for _, card in sorted(store.cards.items())),
        )
        contours = settings.contours
        plan = partial(
            WritePlan,
            specs=specs,
            provenance=provenance,
            when=when,
            options=profile.contour_options(contours.tolerance_mm, contours.interpolate_gaps),
            label=settings.label,
            seg=settings.outputs.seg,
        )
        reports = Reports(settings.outputs, tuple(store.cards.values()), provenance, when)
        return cls(
            settings,
            store,
            organs,
            structures,
            precedence(settings, catalogue),
            catalogue,
            plan,
            reports,
            device,
            when,
            started,
        )

    def task(self, read: Callable[[Progress], Intake], folder: Path) -> Task:
        """The task of one study. folder: for unfinished files."""
        return Task(
            read=read,
            store=self.store,
            organs=self.organs,
            organ_seconds=self.settings.organ_seconds,
            shifts=self.settings.shifts,
            precedence=self.precedence,
            catalogue=self.catalogue,
            plan=self.plan(folder),
            mr=self.settings.mr_rule,
            structures=self.structures,
        )


def _device_name(device: str) -> str:
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} {torch.cuda.get_device_name(device)}"
