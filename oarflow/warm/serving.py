"""The process's side: reads orders from standard input, and answers on standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from oarflow.warm.order import Answer, Order, answer_line, read_order

CarryOut = Callable[[Order], tuple[int, bool]]
"""Carries out an order. Returns its exit status, and whether another order may follow."""


def serve(carry_out: CarryOut) -> None:
    """Carry out orders until there are no more."""
    for line in sys.stdin.buffer:
        order, token = read_order(line)
        os.environ.update(order.environment)
        status, again = carry_out(order)
        sys.stderr.flush()
        sys.stdout.flush()
        os.write(1, answer_line(Answer(status, resident_bytes(), again), token))
        if not again:
            return


def resident_bytes() -> int:
    """Resident memory of this process."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
