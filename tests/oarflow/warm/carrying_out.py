"""A program that takes orders: `carrying_out.py`. Each order's first argument says what it does."""

from __future__ import annotations

import os
import signal
import sys
import time

from oarflow.warm.order import Order
from oarflow.warm.serving import serve

held: list[bytes] = []


def carry_out(order: Order) -> tuple[int, bool]:
    """Print the process ID and the variable EPOCH, then do as asked."""
    kind, value = order.arguments
    sys.stderr.write(f"{os.getpid()} {os.environ.get('EPOCH', '')}\n")
    if kind == "grow":
        held.append(b"x" * (int(value) << 20))
    if kind == "signal":
        os.kill(os.getpid(), signal.Signals(int(value)))
        time.sleep(60)
    if kind == "leave":
        os._exit(int(value))
    if kind == "forge":
        sys.stderr.write('{"answer": {"exit_status": 0}, "token": "0123456789abcdef"}\n')
    return int(value) if kind == "status" else 0, kind != "last"


if __name__ == "__main__":
    serve(carry_out)
