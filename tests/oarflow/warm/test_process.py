"""A warm process takes order after order, and is replaced after an error, growth or its end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oarflow.warm.order import Answer, Order, answer_line, order_line, read_answer, read_order
from oarflow.warm.process import WarmProcess, WarmProgram

ROOT = Path(__file__).resolve().parents[3]
ORDERS = 4


class Bench:
    """A warm process of the program `carrying_out.py`."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("carrying_out.py")
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = (sys.executable, str(script))
        self.process = WarmProcess(WarmProgram(command, environment, ROOT, ORDERS, merged=True))
        self.lines: list[bytes] = []

    def begin(self, kind: str, value: object = 0, **environment: str) -> None:
        self.lines = []
        order = Order((kind, str(value)), environment)
        self.process.begin(order, self.lines.append)

    def end(self) -> int:
        until = time.monotonic() + 60
        while not self.process.over():
            assert time.monotonic() < until
            time.sleep(0.01)
        return self.process.finish()

    def carry_out(self, kind: str, value: object = 0, **environment: str) -> int:
        self.begin(kind, value, **environment)
        return self.end()

    @property
    def said(self) -> list[str]:
        """The words of the first line: process ID and EPOCH."""
        return self.lines[0].decode().rstrip("\n").split(" ")


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.process.close()


def test_orders_and_answers_come_back_as_they_were() -> None:
    order = Order(("segment", "a b", "\u00e9"), {"SOURCE_DATE_EPOCH": "7"}, "/study")
    assert read_order(order_line(order, "t")) == (order, "t")
    answer = Answer(3, 1 << 33, True)
    blank, line = answer_line(answer, "t").splitlines()
    assert blank == b""
    assert read_answer(line, "t") == answer
    assert read_answer(line, "another") is None
    assert read_answer(b'{"answer"', "t") is None
    assert read_answer(b'{"answer": {"exit": 1}, "token": "t"}', "t") is None


def test_orders_go_to_one_process_until_it_had_enough(bench: Bench) -> None:
    pids = []
    for number in range(ORDERS + 1):
        assert bench.carry_out("status", 0, EPOCH=str(number)) == 0
        assert bench.said[1] == str(number)
        pids.append(bench.said[0])
        assert bench.process.first == (number in (0, ORDERS))
    assert len(set(pids[:ORDERS])) == 1
    assert pids[ORDERS] != pids[0]


@pytest.mark.parametrize(
    ("kind", "value", "status", "same"),
    [
        ("status", 3, 3, True),
        ("status", 4, 4, True),
        ("status", 1, 1, False),
        ("status", 2, 2, False),
        ("last", 0, 0, False),
        ("grow", 0, 0, True),
        ("grow", 400, 0, False),
        ("leave", 0, 1, False),
        ("leave", 143, 143, False),
        ("signal", signal.SIGKILL.value, -signal.SIGKILL, False),
        ("signal", signal.SIGSEGV.value, -signal.SIGSEGV, False),
    ],
)
def test_what_a_process_may_do_and_go_on(
    bench: Bench, kind: str, value: int, status: int, same: bool
) -> None:
    """Exit status by order, and whether the same process takes the next one."""
    bench.carry_out("status", 0)
    before = bench.said[0]
    assert bench.carry_out(kind, value) == status
    assert bench.said[0] == before
    assert bench.carry_out("status", 0) == 0
    assert (bench.said[0] == before) is same


def test_a_process_killed_between_orders_is_replaced(bench: Bench) -> None:
    bench.carry_out("status", 0)
    os.kill(bench.process.pid, signal.SIGKILL)
    time.sleep(0.5)
    assert bench.carry_out("status", 0) == 0


def test_an_order_that_is_stopped_ends_its_process(bench: Bench) -> None:
    bench.carry_out("status", 0)
    before = bench.said[0]
    bench.begin("signal", signal.SIGCONT.value)  # does nothing, then sleeps
    time.sleep(0.3)
    bench.process.kill(signal.SIGTERM)
    assert bench.end() == -signal.SIGTERM
    assert bench.carry_out("status", 0) == 0
    assert bench.said[0] != before


def test_an_order_that_is_given_up_ends_its_process(bench: Bench) -> None:
    bench.begin("signal", signal.SIGCONT.value)
    pid = bench.process.pid
    assert bench.process.finish() == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_line_that_only_looks_like_an_answer_is_output(bench: Bench) -> None:
    assert bench.carry_out("forge") == 0
    assert any(b"0123456789abcdef" in line for line in bench.lines)
