"""The templates that the application's settings name, and the application's check of them."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from oarflow.errors import ConfigurationError
from oarflow.locations import ROOT
from oarflow.node.execution.application import asks_templates
from oarflow.node.settings import ExecutionSettings
from oarflow.settings_files import read_settings
from oarflow.shown import shown
from oarflow.templates.folder import read_templates, templates_folder
from oarflow.templates.template import TemplateSet

CHECK_SECONDS = 120.0
"""How long (s) the application may take to check a set of templates."""

MAX_CHARACTERS = 300
"""The longest reason that is shown."""


def configured(execution: ExecutionSettings) -> TemplateSet:
    """The templates that `execution.config` names; an empty set if it names none.

    Raises ConfigurationError (SETTINGS, TEMPLATES).
    """
    if execution.config is None:
        return TemplateSet()
    named = read_settings(execution.config).get("templates")
    if not isinstance(named, str | None):
        raise ConfigurationError("SETTINGS", f"{execution.config}: templates: name a folder")
    folder = templates_folder(named, execution.config.absolute().parent)
    return TemplateSet() if folder is None else read_templates(folder)


def check(execution: ExecutionSettings, templates: TemplateSet) -> None:
    """Let the application check all templates of a set, with its settings and networks.

    A command of the site is not asked. Raises ConfigurationError (TEMPLATES) with its reason.
    """
    with tempfile.TemporaryDirectory(prefix="oarflow-templates-") as room:
        for name, text in templates.texts.items():
            (Path(room) / name).write_text(text, encoding="utf-8")
        asking = asks_templates(execution.command, execution.config, execution.models, Path(room))
        if asking is None:
            return
        try:
            answer = subprocess.run(
                asking, cwd=ROOT, capture_output=True, timeout=CHECK_SECONDS, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigurationError("TEMPLATES", "the application does not start") from error
    if answer.returncode != 0:
        lines = answer.stderr.decode(errors="replace").strip().splitlines()
        said = shown(lines[-1]).removeprefix("oarflow: ") if lines else "no reason is given"
        raise ConfigurationError("TEMPLATES", said[:MAX_CHARACTERS])
