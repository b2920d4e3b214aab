"""Programs as a shell starts them: `oarflow VERB`, with pipes or at a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.app.workbench import app, clean_environment


def oarflow(
    *arguments: object, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a verb as a program of its own."""
    return app(*arguments, environment=environment, cwd=cwd, program=("-m", "oarflow"))


def at_terminal(*arguments: object) -> tuple[int, str]:
    """Run a verb at a terminal. Returns its exit status and what it shows."""
    here, there = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "oarflow", *map(str, arguments)],
        env=clean_environment(COLUMNS="200"),
        stdin=subprocess.DEVNULL,
        stdout=there,
        stderr=subprocess.PIPE,
    )
    os.close(there)
    shown = b""
    while True:
        try:
            part = os.read(here, 65536)
        except OSError:  # the program has closed its end
            break
        if not part:
            break
        shown += part
    os.close(here)
    process.communicate(timeout=60)
    return process.returncode, shown.decode().replace("\r\n", "\n")
