"""The application in a warm process, one for each thread that runs studies."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from oarflow.locations import ROOT
from oarflow.node.execution.order import RunOrder, WarmOrder
from oarflow.warm.order import Order
from oarflow.warm.process import WarmProcess, WarmProgram

OF_STUDY = ("SOURCE_DATE_EPOCH",)
"""Variables that change with the study."""

_HELD = threading.local()
"""Of each thread: the process. The kernel ends it with the thread, so no other one may use it."""


def begin(
    order: RunOrder,
    warm: WarmOrder,
    inherited: Mapping[str, str],
    output: Path,
    on_line: Callable[[bytes], None],
) -> WarmProcess:
    """Give a study to this thread's process. on_line: called with each line that it writes.

    inherited: variables of the process besides those of the order. Raises OSError.
    """
    lasting = {name: value for name, value in order.environment.items() if name not in OF_STUDY}
    changing = {name: value for name, value in order.environment.items() if name in OF_STUDY}
    program = WarmProgram(
        tuple(part.replace("{python}", sys.executable) for part in warm.program),
        {**inherited, **lasting},
        ROOT,
        warm.studies,
        merged=True,
    )
    process = _process(program)
    arguments = tuple(part.replace("{output}", str(output)) for part in warm.arguments)
    process.begin(Order(arguments, changing), on_line)
    return process


def _process(program: WarmProgram) -> WarmProcess:
    """This thread's process of a program. One of another program is ended."""
    held = cast(WarmProcess | None, getattr(_HELD, "process", None))
    if held is None or held.program != program:
        if held is not None:
            held.close()
        held = _HELD.process = WarmProcess(program)
    return held
