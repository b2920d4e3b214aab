"""Orders to a warm process and its answers, one JSON line each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Order:
    """A command line to carry out.

    arguments: without the program's name. environment: variables that change with the order, such
    as SOURCE_DATE_EPOCH. study: a file with a study whose headers the holder has read; empty if
    the arguments alone name the input.
    """

    arguments: tuple[str, ...]
    environment: dict[str, str]
    study: str = ""


@dataclass(frozen=True)
class Answer:
    """The end of an order. resident_bytes: memory of the process after it.

    again: whether the process takes another order.
    """

    exit_status: int
    resident_bytes: int
    again: bool


def order_line(order: Order, token: str) -> bytes:
    """The line of an order. token: names the order; its answer repeats it."""
    return json.dumps({"order": asdict(order), "token": token}).encode() + b"\n"


def read_order(line: bytes) -> tuple[Order, str]:
    """An order and its token. Raises ValueError, KeyError, TypeError."""
    document = json.loads(line)
    order = document["order"]
    return Order(**{**order, "arguments": tuple(order["arguments"])}), document["token"]


def answer_line(answer: Answer, token: str) -> bytes:
    """The line of an answer. It starts with a line break, which ends what a library began."""
    return b"\n" + json.dumps({"answer": asdict(answer), "token": token}).encode() + b"\n"


def read_answer(line: bytes, token: str) -> Answer | None:
    """The answer to the order of a token; None for any other line."""
    if not line.startswith(b'{"answer"'):
        return None
    try:
        document = json.loads(line)
        return Answer(**document["answer"]) if document["token"] == token else None
    except (ValueError, KeyError, TypeError):
        return None
