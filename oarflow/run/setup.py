"""What one set of settings decides, checked before the input is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from oarflow.commissioning.site import SiteRecords
from oarflow.derived.structures import DerivedStructure
from oarflow.errors import ConfigurationError
from oarflow.intake import Intake
from oarflow.networks.cards import Card
from oarflow.networks.precision import has_bfloat16
from oarflow.networks.store import ModelStore
from oarflow.organs import Catalogue, CatalogueError, load_catalogue
from oarflow.pipeline import Progress, Task
from oarflow.rtstruct.profile import load_profile
from oarflow.rtstruct.provenance import Provenance, settings_digest
from oarflow.run.network_choice import preferred_networks, second_opinions
from oarflow.run.reports import Reports
from oarflow.run.rois import requested_structures, roi_specs
from oarflow.run.settings import Settings, precedence, requested_organs
from oarflow.run.site_paths import PATH_KEYS
from oarflow.templates.template import Template, TemplateChoice
from oarflow.writing.proven import WritePlan

OpenStore = Callable[[Path, frozenset[str] | None, str, int | None, Mapping[str, str]], ModelStore]
"""Opens a models folder; takes the trusted SHA-256, the device, the CPU threads and the preferred
network of each organ."""


@dataclass(frozen=True)
class Setup:
    """Networks, catalogue, names and reports under one set of settings.

    when: the run's time. started: time.monotonic() of the process's start.
    """

    settings: Settings
    store: ModelStore
    records: SiteRecords
    organs: tuple[str, ...]
    structures: tuple[DerivedStructure, ...]
    precedence: tuple[str, ...]
    catalogue: Catalogue
    second_opinions: Mapping[str, Sequence[Card]]
    plan: Callable[[Path], WritePlan]
    reports: Reports
    device: str
    when: datetime
    started: float

    @classmethod
    def of(
        cls,
        models: Path,
        settings: Settings,
        when: datetime,
        started: float,
        open_store: OpenStore = ModelStore.open,
    ) -> Setup:
        """Load and check all that does not depend on the input. Raises ConfigurationError."""
        try:
            catalogue = load_catalogue(models)
        except CatalogueError as error:
            raise ConfigurationError("CATALOGUE", str(error)) from error
        trusted = settings.trusted_models
        store = open_store(
            models,
            None if trusted is None else frozenset(trusted),
            settings.device,
            settings.threads,
            preferred_networks(settings, catalogue),
        )
        return cls._of(store, catalogue, settings, settings_digest(_plain(settings)), when, started)

    def under(self, template: Template, settings: Settings) -> Setup:
        """The setup under a template. settings: those with the template.

        The template's digest enters the UIDs of the files where the template changes a setting.
        Raises ConfigurationError (TEMPLATES) with the template's name.
        """
        plain = _plain(settings)
        if plain != _plain(self.settings):
            plain["template"] = template.digest
        try:
            return self._of(
                self.store.preferring(preferred_networks(settings, self.catalogue)),
                self.catalogue,
                settings,
                settings_digest(plain),
                self.when,
                self.started,
            )
        except ConfigurationError as error:
            raise ConfigurationError("TEMPLATES", f"template {template.name}: {error}") from error

    @classmethod
    def _of(  # noqa: PLR0917  (the parts of a setup, in their order)
        cls,
        store: ModelStore,
        catalogue: Catalogue,
        settings: Settings,
        settings_sha256: str,
        when: datetime,
        started: float,
    ) -> Setup:
        profile = load_profile(settings.profile)
        profile.check_label(settings.label)
        organs = requested_organs(settings, store.organs_by_default, catalogue)
        structures = requested_structures(settings, organs, catalogue)
        specs = roi_specs(settings, organs, structures, catalogue)
        device = _device_name(store.device)
        records = SiteRecords.open(settings.commissioned, settings.commissioned_key)
        provenance = Provenance(settings_sha256, device, store.every_identity)
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
            records,
            organs,
            structures,
            precedence(settings, catalogue),
            catalogue,
            second_opinions(settings, catalogue, store),
            plan,
            reports,
            device,
            when,
            started,
        )

    def task(
        self,
        read: Callable[[Progress], Intake],
        folder: Path,
        template: TemplateChoice | None = None,
    ) -> Task:
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
            template=template,
            records=self.records,
            rules=self.settings.external.rule_options,
            clip=self.settings.external.clip,
            structures=self.structures,
            second_opinions=self.second_opinions,
        )


def _plain(settings: Settings) -> dict[str, object]:
    """The settings as plain values, without paths: their digest enters UIDs.

    Paths change no contour. The regions' descriptions say what the records say.
    """
    return settings.model_dump(mode="json", exclude=set(PATH_KEYS))


def _device_name(device: str) -> str:
    """With the arithmetic or the model, because contours depend on it by parts of a voxel."""
    if not device.startswith("cuda"):
        return f"{device} bfloat16" if has_bfloat16() else device
    import torch

    return f"{device} {torch.cuda.get_device_name(device)}"
