"""The application's own reason for a run that failed, in one line.

Two sources hold no patient data: `fault` in result.json, and the line `oarflow: CODE: words` on
standard error. Nothing else of the output is quoted.
"""

from __future__ import annotations

import re
from pathlib import Path

from oarflow.node.execution.runner import LOG_NAME
from oarflow.result import FILE_NAME, ResultError, read_document
from oarflow.shown import shown

RESULT_BYTES = 16 << 20
"""The most bytes of result.json that are read."""
MAX_CHARACTERS = 300
"""The longest reason on the page and in a mail."""

_CODED = re.compile(rb"^oarflow: ([A-Z][A-Z0-9_]{1,63}): (.+)$", re.MULTILINE)


def reason_of(output: Path) -> str:
    """The reason of the failed run that wrote to `output`; empty if there is none."""
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
