"""`oarflow train systems`: what can be trained."""

from __future__ import annotations

import sys

from oarflow.training.commands.options import Options
from oarflow.training.configuration import shipped_configurations


def run(_: Options) -> None:
    """Every shipped configuration, on standard output."""
    for name, about, organs in shipped_configurations():
        sys.stdout.write(f"{name}\n    {about}\n")
        if organs:
            sys.stdout.write(f"    fit {name}/ORGAN of {', '.join(organs)}\n")
