"""`oarflow config`: the settings in use, or the JSON Schema of result.json."""

from __future__ import annotations

import argparse
import os
import sys

from oarflow.commands.flags import add_config, add_set
from oarflow.errors import ExitStatus

EPILOG = "`oarflow config schema` prints the JSON Schema of result.json."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.epilog = EPILOG
    parser.add_argument("what", nargs="?", choices=("settings", "schema"), default="settings")
    add_config(parser)
    add_set(parser)


def run(flags: argparse.Namespace) -> int:
    """Print the settings or the schema. Returns the exit status. Raises ConfigurationError."""
    if flags.what == "schema":
        from oarflow.result import json_schema

        sys.stdout.write(json_schema())
        return ExitStatus.WRITTEN
    from oarflow.run.paths import config_path
    from oarflow.run.settings import load_settings

    settings = load_settings(config_path(flags.config, os.environ), flags.changes)
    sys.stdout.write(settings.as_yaml())
    return ExitStatus.WRITTEN
