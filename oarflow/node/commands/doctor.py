"""`oarflow node doctor`: check settings, ports, disk, database, application and peers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from oarflow.errors import ExitStatus
from oarflow.node.doctor.checks import CHECKS
from oarflow.node.doctor.results import Check, CheckResult, CheckStatus, bad
from oarflow.node.listener.server import quiet_libraries
from oarflow.node.settings import NodeSettings
from oarflow.shown import shown


def main(flags: argparse.Namespace, settings: NodeSettings) -> int:
    """Print each finding with its remedy. Returns 1 if something does not work."""
    quiet_libraries()
    wrong = False
    for check in CHECKS:
        for finding in _look(check, settings):
            remedy = f"\n{'':>10}{finding.remedy}" if finding.remedy else ""
            sys.stdout.write(
                f"{finding.status:<9} {finding.subject}: {shown(finding.text)}{remedy}\n"
            )
            wrong = wrong or finding.status is CheckStatus.BAD
        sys.stdout.flush()
    return ExitStatus.FAULT if wrong else ExitStatus.WRITTEN


def _look(check: Check, settings: NodeSettings) -> Iterator[CheckResult]:
    try:
        yield from check(settings)
    except Exception as error:  # the other checks still help
        yield bad(check.__name__, f"this check failed ({type(error).__name__})", "")
