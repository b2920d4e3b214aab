"""The application's own reason for a run that failed, in one line.

Two sources hold no patient data by the application's contract: `fault` in result.json, and the line
`oarflow: CODE: words` on standard error. Nothing else that it wrote is quoted.
"""

from __future__ import annotations

import re
from pathlib import Path

from oarflow.node.execution.runner import LOG_NAME
from oarflow.result import FILE_NAME, ResultError, read_document
from oarflow.shown import shown

RESULT_BYTES = 16 << 20
"""More than any result.json has."""
MAX_CHARACTERS = 300
"""Of a reason, as a page and a mail show it."""

_CODED = re.compile(rb"^oarflow: ([A-Z][A-Z0-9_]{1,63}): (.+)$", re.MULTILINE)


def reason_of(output: Path) -> str:
    """Why the run that wrote to `output` failed; empty where the application does not say."""
    return _fault(output / FILE_NAME) or _coded(output.parent / LOG_NAME)


def _fault(path: Path) -> str:
    try:
        if path.stat().st_size > RESULT_BYTES:
            return ""
        fault = read_document(path.read_bytes()).fault
    except (OSError, ResultError):
        return ""
    return "" if fault is None else _one_line(f"{fault.kind}: {fault.message}")


def _coded(path: Path) -> str:
    try:
        found = _CODED.findall(path.read_bytes())
    except OSError:
        return ""
    if not found:
        return ""
    code, words = found[-1]
    return _one_line(f"{code.decode()}: {words.decode(errors='replace')}")


def _one_line(text: str) -> str:
    line = shown(" ".join(text.split()))
    return line if len(line) <= MAX_CHARACTERS else f"{line[: MAX_CHARACTERS - 3]}..."
