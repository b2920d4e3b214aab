"""`oarflow completion SHELL`: the script that completes verbs, options and paths."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from oarflow.errors import ExitStatus

EPILOG = """bash:  eval "$(oarflow completion bash)"            in ~/.bashrc
zsh:   oarflow completion zsh > DIR/_oarflow         DIR: one of $fpath"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.epilog = EPILOG
    parser.add_argument("shell", choices=("bash", "zsh"))


def run(flags: argparse.Namespace) -> int:
    """Print the script. Returns the exit status."""
    import shtab

    from oarflow.commands import parser

    class Completing(argparse.ArgumentParser):
        """A parser whose path options the shell completes."""

        def add_argument(self, *names: str, **options: Any) -> argparse.Action:
            action = super().add_argument(*names, **options)
            if action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            return action

    sys.stdout.write(shtab.complete(parser("all", Completing), flags.shell))
    return ExitStatus.WRITTEN
