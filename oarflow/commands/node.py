"""`oarflow node`: run and maintain the DICOM node."""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from pathlib import Path

from oarflow.commands.menu import menu_of, require
from oarflow.errors import ConfigurationError, ExitStatus

CONFIG_VARIABLE = "OARFLOW_NODE_CONFIG"
ROLES = ("viewer", "operator")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The node's commands. `-c` may come before or after a command."""
    parser.description = (
        "A DICOM node: receives planning CTs, contours them and delivers the results. "
        "For research use only."
    )
    parser.set_defaults(config=None, print_config=False, debug=False)
    _add_everywhere(parser)
    menu = menu_of(parser, required=False)

    def command(name: str, about: str) -> argparse.ArgumentParser:
        made = menu(name, about)
        _add_everywhere(made)
        return made

    command("run", "run the node until SIGTERM or SIGINT")
    command("doctor", "check everything that the node depends on, with remedies")
    _add_batch(command("batch", "contour a folder of studies, without DICOM transfer"))
    _add_pull(command("pull", "fetch studies from a PACS; the running node contours them"))
    _add_user(command("user", "add, disable, enable or list users of the web page"))
    command("audit", "check and print the audit log").add_argument(
        "--after", type=_id, default=0, metavar="ID", help="only entries with a greater ID"
    )
    command("backup", "back up database and files; the node may be running").add_argument(
        "archive", type=Path, help="new .tar.gz file; it holds patient data"
    )
    command("restore", "restore a back-up into an empty, stopped node").add_argument(
        "archive", type=Path, help="archive that `backup` wrote"
    )


def run(flags: argparse.Namespace) -> int:
    """Run one command. Raises ConfigurationError."""
    if flags.command is None and not flags.print_config:
        raise ConfigurationError("USAGE", "no command; `oarflow node --help` lists them")
    require("node")
    from oarflow.node import logs
    from oarflow.node.commands import COMMANDS
    from oarflow.node.settings import load_settings

    logs.set_up(logging.DEBUG if flags.debug else logging.INFO)
    settings = load_settings(flags.config or _from_environment())
    if flags.print_config:
        sys.stdout.write(settings.as_yaml())
        return ExitStatus.WRITTEN
    return COMMANDS[flags.command](flags, settings)


def _add_everywhere(parser: argparse.ArgumentParser) -> None:
    """Flags of every command; one that is not given leaves the value given before the command."""
    add = parser.add_argument
    keep = argparse.SUPPRESS
    settings = f"settings file of the node (default: the variable {CONFIG_VARIABLE})"
    add("-c", "--config", type=Path, metavar="FILE", default=keep, help=settings)
    printed = "print the settings in force, with secrets masked, and exit"
    add("--print-config", action="store_true", default=keep, help=printed)
    add("--debug", action="store_true", default=keep, help="log more, for developers")


def _add_batch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder with DICOM files of studies")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        required=True,
        help="folder for results, one subfolder for each series; run again to continue",
    )


def _add_pull(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", help="PACS: a name in the section `pull` of the settings")
    add("--accession", default="", metavar="NUMBER", help="accession number")
    add(
        "--date",
        default="",
        metavar="YYYYMMDD[-YYYYMMDD]",
        help="study date: a day or a range; a range may have one open end "
        "(--date=-YYYYMMDD: up to that day)",
    )
    add("--study", default="", metavar="UID", help="Study Instance UID")


def _add_user(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    put = actions.add_parser(
        "put", help="add a user, or set a new password, read from standard input or a prompt"
    )
    put.add_argument("name")
    put.add_argument(
        "--role",
        choices=ROLES,
        help="default: a known user keeps the role, a new user is a viewer",
    )
    actions.add_parser("disable", help="forbid a user to sign in").add_argument("name")
    actions.add_parser("enable", help="allow a disabled user to sign in again").add_argument("name")
    actions.add_parser("list", help="list all users")


def _id(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an ID: give a whole number, as `audit` prints it"
        )
    return int(text)


def _from_environment() -> Path | None:
    value = os.environ.get(CONFIG_VARIABLE, "").strip()
    return Path(value) if value else None
