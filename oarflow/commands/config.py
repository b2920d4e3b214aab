"""`oarflow config`: the settings in use, the templates, or the JSON Schema of result.json."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from oarflow.commands.flags import add_config, add_models, add_set, add_templates
from oarflow.errors import ExitStatus

if TYPE_CHECKING:
    from oarflow.run.layers import SettingsLayers

EPILOG = """`oarflow config schema` prints the JSON Schema of result.json.
`oarflow config templates` checks and lists the templates. With --for it prints which one is taken
for a CT, and why."""

_WHAT = ("settings", "schema", "templates")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.epilog = EPILOG
    parser.add_argument("what", nargs="?", choices=_WHAT, default=_WHAT[0])
    parser.add_argument(
        "--for", dest="ct", type=Path, metavar="CT", help="folder or zip archive with one CT"
    )
    add_templates(parser)
    add_models(parser)
    add_config(parser)
    add_set(parser)


def run(flags: argparse.Namespace) -> int:
    """Print the settings or the schema. Returns the exit status. Raises ConfigurationError."""
    if flags.what == "schema":
        from oarflow.result import json_schema

        sys.stdout.write(json_schema())
        return ExitStatus.WRITTEN
    from oarflow.run.layers import SettingsLayers, templates_change
    from oarflow.run.paths import config_path

    changes = [*flags.changes, *templates_change(flags.templates)]
    layers = SettingsLayers.read(config_path(flags.config, os.environ), changes)
    if flags.what == "templates":
        return _print_templates(flags, layers)
    sys.stdout.write(layers.settings().as_yaml())
    return ExitStatus.WRITTEN


def _print_templates(flags: argparse.Namespace, layers: SettingsLayers) -> int:
    """Check all templates, then list them, or explain the choice for a CT."""
    from oarflow.run.chosen_template import ct_texts, print_choice, print_templates
    from oarflow.run.paths import models_path
    from oarflow.run.setups import TemplateSetups
    from oarflow.run.start import run_moment
    from oarflow.templates.rules import TemplateFacts, context_of

    context = context_of(flags.context)
    models = models_path(flags.models, os.environ)
    setups = TemplateSetups.of(models, layers, run_moment(), time.monotonic(), context)
    if flags.ct is None:
        print_templates(setups.templates, layers.folder(), sys.stdout)
        return ExitStatus.WRITTEN
    texts = ct_texts(flags.ct, setups.plain.settings.rules)
    print_choice(setups.templates, TemplateFacts(texts, context), sys.stdout)
    return ExitStatus.WRITTEN
