"""The command line: `python -m oarflow.node [COMMAND]`."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import oarflow
from oarflow.console import outlive_readers
from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.node import commands, logs
from oarflow.node.settings import Settings, load_settings

CONFIG_VARIABLE = "OARFLOW_NODE_CONFIG"
INSTALL = "pip install '.[node]'"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. argv: without the program's name. Returns the exit status."""
    outlive_readers()
    try:
        modules = _commands()
    except ModuleNotFoundError as error:
        sys.stderr.write(f"oarflow-node: {error}; the node needs its extra: {INSTALL}\n")
        return ExitStatus.USAGE
    flags = _parser(modules).parse_args(argv)
    logs.set_up(logging.DEBUG if flags.debug else logging.INFO)
    try:
        settings = load_settings(flags.config or _from_environment())
        if flags.print_config:
            sys.stdout.write(settings.as_yaml())
            return ExitStatus.WRITTEN
        return _dispatch(modules[flags.command or "run"], flags, settings)
    except ConfigurationError as error:
        sys.stderr.write(f"oarflow-node: {error.code}: {error}\n")
        return ExitStatus.USAGE


def _dispatch(module: ModuleType, flags: argparse.Namespace, settings: Settings) -> int:
    return int(module.main(flags, settings))


def _commands() -> dict[str, ModuleType]:
    return {
        info.name: importlib.import_module(f"{commands.__name__}.{info.name}")
        for info in pkgutil.iter_modules(commands.__path__)
    }


def _parser(modules: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="oarflow-node",
        description="A DICOM node: receives planning CTs, has them contoured, sends the results. "
        "For research use only.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help=f"settings (or {CONFIG_VARIABLE})"
    )
    parser.add_argument("--print-config", action="store_true", help="print the settings in force")
    parser.add_argument("--debug", action="store_true", help="for developers: log more")
    parser.add_argument("--version", action="version", version=f"oarflow {oarflow.__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, module in modules.items():
        module.add_arguments(
            subparsers.add_parser(name, help=module.HELP, description=module.__doc__)
        )
    return parser


def _from_environment() -> Path | None:
    value = os.environ.get(CONFIG_VARIABLE, "").strip()
    return Path(value) if value else None


if __name__ == "__main__":
    sys.exit(main())
