"""The library's command line: `python -m oarflow.rtstruct lint FILE`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from oarflow.console import outlive_readers
from oarflow.errors import ConfigurationError
from oarflow.rtstruct.lint import RULES, Finding, Severity, images_below, lint
from oarflow.rtstruct.lint.table import findings_page
from oarflow.rtstruct.profile import load_profile, profile_names
from oarflow.shown import shown

CLEAN, FOUND, USAGE, UNREADABLE = 0, 1, 2, 3

EPILOG = """exit status:
  0  no finding of severity error (there may be warnings and notes)
  1  at least one error
  2  usage: unknown option or profile, no such file or folder, no image in the CT folder
  3  the file is damaged, no DICOM, or no RT Structure Set"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    outlive_readers()
    parser = argparse.ArgumentParser(prog="python -m oarflow.rtstruct")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "lint",
        help="explain what is odd in an RTSTRUCT of any vendor",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", type=Path)
    command.add_argument(
        "--ct", type=Path, metavar="DIR", help="images it should refer to, or the whole study"
    )
    command.add_argument("--profile", metavar="NAME", help=", ".join(profile_names()))
    command.add_argument("--json", action="store_true", help="findings for machines")
    table = commands.add_parser("table", help="the linter's rules and findings as Markdown")
    table.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    table.add_argument("--ct", type=Path, required=True, metavar="DIR", help="another study")
    table.add_argument("--output", type=Path, required=True, metavar="FILE")
    given = parser.parse_args(arguments)
    if given.command == "table":
        return _table(given.folders, given.ct, given.output)
    return _lint(given.file, given.ct, given.profile, as_json=given.json)


def _lint(file: Path, folder: Path | None, profile_name: str | None, *, as_json: bool) -> int:
    try:
        profile = load_profile(profile_name) if profile_name else None
    except ConfigurationError as error:
        return _usage(str(error))
    if not file.is_file():
        return _usage(f"no such file: {file}")
    ct = None
    if folder is not None:
        ct = images_below(folder) if folder.is_dir() else {}
        if not ct:
            return _usage(f"no image with a position in {folder}")
    findings = lint(file, ct=ct, profile=profile)
    status = exit_status(findings)
    sys.stdout.write(_as_json(findings, status) if as_json else _as_text(findings))
    return status


def _table(folders: Sequence[Path], ct: Path, output: Path) -> int:
    shown = " ".join(f"$OARFLOW_DATA/{folder.name}" for folder in folders)
    study = f"$OARFLOW_DATA/{ct.parent.name}/{ct.name}"
    command = f"python -m oarflow.rtstruct table {shown} --ct {study} --output docs/{output.name}"
    output.write_text(findings_page(folders, ct, command), encoding="utf-8")
    return CLEAN


def exit_status(findings: Sequence[Finding]) -> int:
    """The exit status that findings call for."""
    if any(finding.rule == "UNREADABLE" for finding in findings):
        return UNREADABLE
    return FOUND if any(f.severity is Severity.ERROR for f in findings) else CLEAN


def _usage(message: str) -> int:
    sys.stderr.write(message + "\n")
    return USAGE


def _as_json(findings: Sequence[Finding], status: int) -> str:
    rows = [
        {
            "rule": finding.rule,
            "severity": finding.severity.value,
            "count": finding.count,
            "where": finding.where,
            "meaning": RULES[finding.rule].meaning,
            "remedy": RULES[finding.rule].remedy,
            "row": RULES[finding.rule].row,
        }
        for finding in findings
    ]
    return json.dumps({"version": 1, "exit_status": status, "findings": rows}, indent=2) + "\n"


def _as_text(findings: Sequence[Finding]) -> str:
    if not findings:
        return "Nothing found.\n"
    lines = []
    for finding in findings:
        where = f": {shown(finding.where)}" if finding.where else ""
        lines.append(f"{finding.severity.value.upper()} {finding.rule} ({finding.count}){where}")
        lines.append(f"    {RULES[finding.rule].meaning}")
        lines.append(f"    {RULES[finding.rule].remedy}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
