"""The holder's side: starts a warm process, gives it orders, and replaces it."""

from __future__ import annotations

import secrets
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from oarflow.warm.child import Child
from oarflow.warm.order import Answer, Order, order_line, read_answer

SOUND = (0, 3, 4)
"""Exit statuses after which a process is used again: written, refused, held."""

FAULT = 1
"""Exit status of a process that ended as if well, but without an answer."""

MAX_GROWTH = 1.5
"""A process is replaced when its memory after an order exceeds this many times that after its
first."""


@dataclass(frozen=True)
class WarmProgram:
    """A program that takes orders.

    folder: its current folder. orders: how many orders one process takes. merged: whether its
    standard error goes to the reader of lines; otherwise it goes where this process's goes.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    orders: int
    merged: bool


class WarmProcess:
    """Carries out one order at a time: begin, wait until over, finish.

    A process takes no further order after `orders` orders, an error, a signal, or growth of its
    memory; the next order then starts a new one. Use it in one thread: the kernel ends the process
    with the thread that started it.
    """

    def __init__(self, program: WarmProgram) -> None:
        self.program = program
        self._child: Child | None = None
        self._lock = threading.Lock()
        self._count = 0
        self._first_bytes = 0
        self._signalled = False
        self._token = ""
        self._answer: Answer | None = None
        self._on_line: Callable[[bytes], None] = _ignore

    @property
    def pid(self) -> int:
        """The process ID, which is the ID of its group too."""
        return self._running.pid

    @property
    def first(self) -> bool:
        """Whether the last order was its process's first."""
        return self._count == 1

    def begin(self, order: Order, on_line: Callable[[bytes], None]) -> None:
        """Give an order. on_line: called with each line of its output. Raises OSError."""
        if self._child is not None and self._child.over():
            self.close()
        with self._lock:
            self._token, self._answer, self._on_line = secrets.token_hex(8), None, on_line
        if self._child is None:
            self._start()
        self._count += 1
        self._running.write(order_line(order, self._token))

    def over(self) -> bool:
        """Whether the order is answered or the process has ended."""
        return self._answer is not None or self._running.over()

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the process and all that it started."""
        self._signalled = True
        if (child := self._child) is not None:
            child.kill(number)

    def finish(self) -> int:
        """The exit status of the order; negative: the signal that ended the process.

        Ends the process if it takes no further order. An order that is not over is given up.
        """
        if self._answer is None and self._running.over():
            self._running.read_rest()
        with self._lock:
            answer, self._on_line = self._answer, _ignore
        if answer is not None and self._is_sound(answer):
            return answer.exit_status
        status = self.close()
        return (status or FAULT) if answer is None else answer.exit_status

    def close(self) -> int:
        """End the process. Returns its exit status; negative: a signal. 0 if there is none."""
        child, self._child = self._child, None
        return 0 if child is None else child.close()

    @property
    def _running(self) -> Child:
        assert self._child is not None
        return self._child

    def _start(self) -> None:
        program = self.program
        self._count, self._first_bytes, self._signalled = 0, 0, False
        errors = subprocess.STDOUT if program.merged else None
        streams = (subprocess.PIPE, subprocess.PIPE, errors)
        self._child = Child(
            program.command, program.environment, program.folder, streams, self._take
        )

    def _take(self, line: bytes) -> None:
        with self._lock:
            answer = read_answer(line, self._token)
            if answer is None:
                self._on_line(line)
            else:
                self._answer = answer

    def _is_sound(self, answer: Answer) -> bool:
        """Whether the process takes another order."""
        self._first_bytes = self._first_bytes or answer.resident_bytes
        return (
            answer.again
            and answer.exit_status in SOUND
            and self._count < self.program.orders
            and answer.resident_bytes <= MAX_GROWTH * self._first_bytes
            and not self._signalled
            and not self._running.over()
        )


def _ignore(_: bytes) -> None:
    """Nobody reads the line."""
