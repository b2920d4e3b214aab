"""`oarflow node`: run the DICOM node, and look after it."""

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
    """The node's commands. Its settings may be named before or after a command."""
    parser.description = (
        "A DICOM node: receives planning CTs, has them contoured, sends the results. "
        "For research use only."
    )
    parser.set_defaults(config=None, print_config=False, debug=False)
    _add_everywhere(parser)
    menu = menu_of(parser, required=False)

    def command(name: str, about: str, description: str | None = None) -> argparse.ArgumentParser:
        made = menu(name, about, description=description)
        _add_everywhere(made)
        return made

    command("run", "run the node until it is told to stop")
    command("doctor", "check everything the node depends on, and say what is wrong")
    _add_batch(command("batch", "contour a folder of studies, with a table at the end"))
    about = "ask a PACS for studies by accession number, date or UID"
    _add_pull(command("pull", about, f"{about.capitalize()}; the running node takes what comes."))
    about = "users of the web page"
    _add_user(command("user", about, "Users; passwords come from standard input or from a prompt."))
    command("audit", "check and print the audit log").add_argument(
        "--after", type=_id, default=0, metavar="ID", help="entries after this id"
    )
    command("backup", "back the state up into an archive; the node may be running").add_argument(
        "archive", type=Path, help="a new .tar.gz; it holds patients' data"
    )
    command("restore", "fill an empty node, which is not running, from a back-up").add_argument(
        "archive", type=Path, help="an archive that `backup` wrote"
    )


def run(flags: argparse.Namespace) -> int:
    """Run one command. Raises ConfigurationError."""
    if flags.command is None and not flags.print_config:
        raise ConfigurationError("USAGE", "`oarflow node --help` lists the commands; name one")
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
    """Flags of every command; what is not given leaves the verb's own value."""
    add = parser.add_argument
    keep = argparse.SUPPRESS
    settings = f"the node's settings (or {CONFIG_VARIABLE})"
    add("-c", "--config", type=Path, metavar="FILE", default=keep, help=settings)
    printed = "print the settings in force, without passwords, and end"
    add("--print-config", action="store_true", default=keep, help=printed)
    add("--debug", action="store_true", default=keep, help="for developers: log more")


def _add_batch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder with the studies' DICOM files")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        required=True,
        help="folder for the results, one folder a series; an interrupted batch goes on in it",
    )


def _add_pull(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", help="a name of the section `pull`")
    add("--accession", default="", metavar="NUMBER")
    add(
        "--date",
        default="",
        metavar="YYYYMMDD[-YYYYMMDD]",
        help="of the study: a day, or a range, of which one end may be open "
        "(--date=-YYYYMMDD: up to that day)",
    )
    add("--study", default="", metavar="UID")


def _add_user(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    put = actions.add_parser("put", help="add a user, or give a new password")
    put.add_argument("name")
    put.add_argument(
        "--role",
        choices=ROLES,
        help="without it a known user keeps theirs, and a new one is a viewer",
    )
    actions.add_parser("disable", help="let a user sign in no more").add_argument("name")
    actions.add_parser("enable", help="let a disabled user sign in again").add_argument("name")
    actions.add_parser("list", help="all users")


def _id(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no id: a whole number, as `audit` prints it")
    return int(text)


def _from_environment() -> Path | None:
    value = os.environ.get(CONFIG_VARIABLE, "").strip()
    return Path(value) if value else None
