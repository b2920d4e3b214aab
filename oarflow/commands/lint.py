"""`oarflow lint FILE`: defects in an RTSTRUCT of any vendor, and what to do about them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oarflow.commands.flags import profiles
from oarflow.errors import ConfigurationError, ExitStatus

if TYPE_CHECKING:
    from oarflow.rtstruct.lint import LintFinding
    from oarflow.rtstruct.profile import Profile

EPILOG = """exit status:
  0  no errors (there may be warnings and notes)
  1  at least one error
  2  wrong usage: unknown option or profile, no such file or folder, no image in the CT folder
  3  the file is damaged, or not a DICOM RT Structure Set"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("files", type=Path, nargs="+", metavar="FILE", help="an RTSTRUCT; with --table: folders")
    add("--ct", type=Path, metavar="DIR", help="the CT that it refers to, or the whole study")
    add("--profile", metavar="NAME", help=f"planning system: {profiles()}")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print JSON")
    shown.add_argument(
        "--table",
        type=Path,
        metavar="FILE",
        help="write a Markdown table of all rules and of the findings in every file of the "
        "folders, with a count of references to images that the folder --ct lacks; needs --ct",
    )


def run(flags: argparse.Namespace) -> int:
    """Print the findings. Returns the exit status. Raises ConfigurationError."""
    if flags.table is not None:
        return _table(flags.files, flags.ct, flags.table)
    if len(flags.files) != 1:
        raise ConfigurationError("USAGE", "name one file; only --table takes several paths")
    return _lint(flags.files[0], flags.ct, flags.profile, as_json=flags.json)


def _lint(file: Path, folder: Path | None, profile_name: str | None, *, as_json: bool) -> int:
    from oarflow.rtstruct.lint import images_below, lint

    profile = _profile(profile_name)
    if not file.is_file():
        raise ConfigurationError("NO_INPUT", f"no such file: {file}")
    ct = None
    if folder is not None:
        ct = images_below(folder) if folder.is_dir() else {}
        if not ct:
            raise ConfigurationError("NO_INPUT", f"no image with a position in {folder}")
    findings = lint(file, ct=ct, profile=profile)
    status = exit_status(findings)
    sys.stdout.write(_as_json(findings, status) if as_json else _as_text(findings))
    return status


def _profile(name: str | None) -> Profile | None:
    from oarflow.rtstruct.profile import load_profile

    return load_profile(name) if name else None


def _table(folders: Sequence[Path], ct: Path | None, output: Path) -> int:
    from oarflow.rtstruct.lint.table import findings_page

    if ct is None:
        raise ConfigurationError("USAGE", "--table needs --ct, the CT of another study")
    shown = " ".join(f"$OARFLOW_DATA/{folder.name}" for folder in folders)
    study = f"$OARFLOW_DATA/{ct.parent.name}/{ct.name}"
    command = f"oarflow lint {shown} --ct {study} --table docs/reference/{output.name}"
    output.write_text(findings_page(folders, ct, command), encoding="utf-8")
    return ExitStatus.WRITTEN


def exit_status(findings: Sequence[LintFinding]) -> ExitStatus:
    """The exit status for these findings."""
    from oarflow.rtstruct.lint import Severity

    if any(finding.rule == "UNREADABLE" for finding in findings):
        return ExitStatus.REFUSED
    errors = any(finding.severity is Severity.ERROR for finding in findings)
    return ExitStatus.FAULT if errors else ExitStatus.WRITTEN


def _as_json(findings: Sequence[LintFinding], status: int) -> str:
    from oarflow.rtstruct.lint import RULES

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
    document = {"version": 1, "exit_status": int(status), "findings": rows}
    return json.dumps(document, indent=2) + "\n"


def _as_text(findings: Sequence[LintFinding]) -> str:
    from oarflow.rtstruct.lint import RULES
    from oarflow.shown import shown

    if not findings:
        return "Nothing found.\n"
    lines = []
    for finding in findings:
        where = f": {shown(finding.where)}" if finding.where else ""
        lines.append(f"{finding.severity.value.upper()} {finding.rule} ({finding.count}){where}")
        lines.append(f"    {RULES[finding.rule].meaning}")
        lines.append(f"    {RULES[finding.rule].remedy}")
    return "\n".join(lines) + "\n"
