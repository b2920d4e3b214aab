"""Add or disable users of the web page; passwords come from standard input or a prompt."""

from __future__ import annotations

import argparse
import getpass
import sys

from sqlalchemy import select

from oarflow.errors import ConfigurationError, ExitStatus
from service.audit import Person
from service.database.models import User
from service.opening import opened
from service.settings import Settings
from service.web import users

HELP = "users of the web page"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do with whom."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    put = actions.add_parser("put", help="add a user, or give a new password and role")
    put.add_argument("name")
    put.add_argument("--role", choices=[role.value for role in users.Role], default="viewer")
    actions.add_parser("disable", help="let a user sign in no more").add_argument("name")
    actions.add_parser("list", help="all users")


def main(flags: argparse.Namespace, settings: Settings) -> int:
    """Do it. Raises ConfigurationError (USER)."""
    by = Person(getpass.getuser(), "command line")
    password = _password() if flags.action == "put" else ""
    try:
        with opened(settings) as database, database.write() as session:
            if flags.action == "put":
                users.put(session, flags.name, password, users.Role(flags.role), by)
            elif flags.action == "disable":
                users.disable(session, flags.name, by)
            else:
                for user in session.scalars(select(User).order_by(User.name)):
                    state = " (disabled)" if user.disabled else ""
                    sys.stdout.write(f"{user.name:<24} {user.role}{state}\n")
    except (ValueError, LookupError) as error:
        raise ConfigurationError("USER", str(error.args[0])) from error
    return ExitStatus.WRITTEN


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != first:
        raise ConfigurationError("USER", "the two passwords differ")
    return first
