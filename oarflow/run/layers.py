"""Settings in layers: app.yaml, over it a template, over both the command line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oarflow.errors import ConfigurationError
from oarflow.run.settings import Settings, changed, checked_settings
from oarflow.run.site_paths import read_with_paths
from oarflow.templates.folder import NO_TEMPLATES, read_templates, templates_folder
from oarflow.templates.template import Template, TemplateKeys, TemplateSet


@dataclass(frozen=True)
class SettingsLayers:
    """The layers of a run's settings. Sections are merged key by key; lists are replaced.

    document: like app.yaml. named: its origin, for error messages. changes: `key=value` texts of
    the command line.
    """

    document: Mapping[Any, Any]
    named: str
    changes: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path | None, changes: Sequence[str] = ()) -> SettingsLayers:
        """The layers of a file and a command line. Raises ConfigurationError (SETTINGS)."""
        return cls(read_with_paths(path), str(path), tuple(changes))

    @classmethod
    def of(cls, settings: Settings) -> SettingsLayers:
        """Checked settings as the lowest layer."""
        return cls(settings.model_dump(mode="json"), "settings")

    def settings(self) -> Settings:
        """The settings without a template. Raises ConfigurationError (SETTINGS)."""
        return self._checked(self.document, self.named)

    def folder(self) -> Path | None:
        """The folder of the templates. Raises ConfigurationError (SETTINGS)."""
        return templates_folder(self.settings().templates, Path.cwd())

    def templates(self) -> TemplateSet:
        """The templates that the settings name. Raises ConfigurationError (TEMPLATES)."""
        folder = self.folder()
        return TemplateSet() if folder is None else read_templates(folder)

    def under(self, template: Template) -> Settings:
        """The settings under a template. Raises ConfigurationError (TEMPLATES)."""
        unknown = sorted(set(template.settings) - set(Settings.model_fields))
        if unknown:
            known = [*TemplateKeys.model_fields, *Settings.model_fields]
            near = difflib.get_close_matches(unknown[0], known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigurationError(
                "TEMPLATES", f"template {template.name}: unknown key {unknown[0]!r}{hint}"
            )
        try:
            return self._checked(_merged(self.document, template.settings), "settings")
        except ConfigurationError as error:
            raise ConfigurationError("TEMPLATES", f"template {template.name}: {error}") from error

    def _checked(self, document: Mapping[Any, Any], named: str) -> Settings:
        settings = checked_settings(document, named)
        if not self.changes:
            return settings
        return checked_settings(changed(document, self.changes), "--set")


def templates_change(folder: str | None) -> list[str]:
    """The option --templates as a change of the settings. folder: `none` for no templates."""
    if folder is None:
        return []
    return [f"templates={json.dumps(None if folder == NO_TEMPLATES else folder)}"]


def _merged(below: Mapping[Any, Any], above: Mapping[Any, Any]) -> dict[Any, Any]:
    """Two documents as one; where both have a section, its keys are merged."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(under, value)
        else:
            result[key] = value
    return result
