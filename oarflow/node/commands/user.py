"""`oarflow node user`: add, disable, enable or list users of the web page."""

from __future__ import annotations

import argparse
import getpass
import sys

from sqlalchemy import select

from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.node.assembly.opening import opened
from oarflow.node.audit import at_the_keyboard
from oarflow.node.database.models import User
from oarflow.node.settings import NodeSettings
from oarflow.node.web import users


def main(flags: argparse.Namespace, settings: NodeSettings) -> int:
    """Change the user, and print the result. Raises ConfigurationError (USER)."""
    by = at_the_keyboard()
    password = _password() if flags.action == "put" else ""
    try:
        with opened(settings) as database, database.write() as session:
            if flags.action == "put":
                role = users.UserRole(flags.role) if flags.role else None
                changed = [users.put(session, flags.name, password, role, by)]
            elif flags.action == "disable":
                changed = [users.disable(session, flags.name, by)]
            elif flags.action == "enable":
                changed = [users.enable(session, flags.name, by)]
            else:
                changed = list(session.scalars(select(User).order_by(User.name)))
            lines = [_line(user) for user in changed]
    except (ValueError, LookupError) as error:
        raise ConfigurationError("USER", str(error.args[0])) from error
    sys.stdout.writelines(lines)
    return ExitStatus.WRITTEN


def _line(user: User) -> str:
    return f"{user.name:<24} {user.role}{' (disabled)' if user.disabled else ''}\n"


def _password() -> str:
    """A password from standard input, or from two prompts on a terminal."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Repeat password: ") != first:
        raise ConfigurationError("USER", "the two passwords differ")
    return first
