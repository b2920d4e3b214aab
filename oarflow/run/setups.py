"""The setup under each template, and the choice among them once the CT's header is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from oarflow.intake import Intake
from oarflow.networks.store import ModelStore
from oarflow.pipeline import Progress, Study, Task
from oarflow.run.layers import SettingsLayers
from oarflow.run.setup import OpenStore, Setup
from oarflow.templates.rules import TemplateFacts
from oarflow.templates.template import TemplateSet


@dataclass(frozen=True)
class TemplateSetups:
    """The setup without a template and under each one, all checked before the input is read.

    context: values from the caller, for the rules.
    """

    plain: Setup
    templates: TemplateSet
    by_template: Mapping[str, Setup]
    context: Mapping[str, str]

    @classmethod
    def of(
        cls,
        models: Path,
        layers: SettingsLayers,
        when: datetime,
        started: float,
        context: Mapping[str, str],
        *,
        open_store: OpenStore = ModelStore.open,
    ) -> TemplateSetups:
        """Load and check all that does not depend on the input. Raises ConfigurationError."""
        templates = layers.templates()
        settings = {one.name: layers.under(one) for one in templates.templates}
        plain = Setup.of(models, layers.settings(), when, started, open_store)
        setups = {one.name: plain.under(one, settings[one.name]) for one in templates.templates}
        return cls(plain, templates, setups, context)

    def task(self, read: Callable[[Progress], Intake], folder: Path) -> Task:
        """The task of one study until its CT is known. folder: for unfinished files."""
        return replace(
            self.plain.task(read, folder), for_ct=partial(self._task_for, read=read, folder=folder)
        )

    def of_study(self, study: Study) -> Setup:
        """The setup that a study was contoured with."""
        choice = study.task.template if study.task else None
        return self.by_template[choice.template.name] if choice else self.plain

    def _task_for(self, intake: Intake, read: Callable[[Progress], Intake], folder: Path) -> Task:
        choice = self.templates.choose(TemplateFacts(intake.texts, self.context))
        setup = self.by_template[choice.template.name] if choice else self.plain
        return setup.task(read, folder, choice)
