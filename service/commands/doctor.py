"""Check configuration, ports, disks, database, application and peers; explain what is wrong."""

from __future__ import annotations

import argparse
import sys

from oarflow.errors import ExitStatus
from service.checks import CHECKS, Mark, bad
from service.checks_beside import CHECKS_BESIDE
from service.listener.server import quiet_libraries
from service.settings import Settings

HELP = "check everything the node depends on, and say what is wrong"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def main(flags: argparse.Namespace, settings: Settings) -> int:
    """Print a line for each finding. Returns 1 where something will not work."""
    quiet_libraries()
    findings = []
    for check in (*CHECKS, *CHECKS_BESIDE):
        try:
            findings += list(check(settings))
        except Exception as error:  # the other checks still help
            findings.append(
                bad(check.__name__, f"the check itself failed ({type(error).__name__})", "")
            )
    for finding in findings:
        remedy = f"\n{'':>10}{finding.remedy}" if finding.remedy else ""
        sys.stdout.write(f"{finding.mark:<9} {finding.subject}: {finding.text}{remedy}\n")
    wrong = any(finding.mark is Mark.BAD for finding in findings)
    return ExitStatus.FAULT if wrong else ExitStatus.WRITTEN
