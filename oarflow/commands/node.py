"""`oarflow node`: run and manage the DICOM node."""

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
    """The node's commands. Options for its settings may come before or after a command."""
    parser.description = (
        "A DICOM node that receives planning CTs, contours them and sends the results. "
        "For research use only."
    )
    parser.set_defaults(config=None, print_config=False, debug=False)
    _add_everywhere(parser)
    menu = menu_of(parser, required=False)

    def command(name: str, about: str, description: str | None = None) -> argparse.ArgumentParser:
        made = menu(name, about, description=description)
        _add_everywhere(made)
        return made

    command("run", "run the node until it receives SIGTERM or SIGINT")
    command("doctor", "check everything that the node depends on, and report problems")
    _add_batch(command("batch", "contour a folder of studies and print a table"))
    about = "retrieve studies from a PACS by accession number, date or UID"
    _add_pull(command("pull", about, f"{about.capitalize()}; the running node receives them."))
    about = "manage the users of the web page"
    _add_user(
        command(
            "user", about, f"{about.capitalize()}; passwords come from standard input or a prompt."
        )
    )
    command("audit", "check and print the audit log").add_argument(
        "--after", type=_id, default=0, metavar="ID", help="entries after this id"
    )
    command("backup", "write a back-up of the state; the node may be running").add_argument(
        "archive", type=Path, help="a new .tar.gz file; it will hold patient data"
    )
    command("restore", "restore a back-up into an empty node that is not running").add_argument(
        "archive", type=Path, help="an archive from `backup`"
    )


def run(flags: argparse.Namespace) -> int:
    """Run one command. Raises ConfigurationError."""
    if flags.command is None and not flags.print_config:
        raise ConfigurationError("USAGE", "name a command; `oarflow node --help` lists them")
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
    """Options of every command; without them the verb's own values stay."""
    add = parser.add_argument
    keep = argparse.SUPPRESS
    settings = f"the node's settings (default: {CONFIG_VARIABLE})"
    add("-c", "--config", type=Path, metavar="FILE", default=keep, help=settings)
    printed = "print the settings in use, without passwords, and exit"
    add("--print-config", action="store_true", default=keep, help=printed)
    add("--debug", action="store_true", default=keep, help="for developers: log more")


def _add_batch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder with DICOM files of the studies")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        required=True,
        help="folder for the results, one folder per series; an interrupted batch resumes there",
    )


def _add_pull(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", help="a name from the section `pull` of the settings")
    add("--accession", default="", metavar="NUMBER")
    add(
        "--date",
        default="",
        metavar="YYYYMMDD[-YYYYMMDD]",
        help="study date: a day or a range; one end may be open (--date=-YYYYMMDD: up to that day)",
    )
    add("--study", default="", metavar="UID")


def _add_user(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    put = actions.add_parser("put", help="add a user, or set a new password")
    put.add_argument("name")
    put.add_argument(
        "--role",
        choices=ROLES,
        help="default: a known user's role stays; a new user is a viewer",
    )
    actions.add_parser("disable", help="forbid a user to sign in").add_argument("name")
    actions.add_parser("enable", help="allow a disabled user to sign in again").add_argument("name")
    actions.add_parser("list", help="list all users")


def _id(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an id: use a whole number, as `audit` prints it"
        )
    return int(text)


def _from_environment() -> Path | None:
    value = os.environ.get(CONFIG_VARIABLE, "").strip()
    return Path(value) if value else None
