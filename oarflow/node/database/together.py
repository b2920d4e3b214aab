"""What several threads want written at the same moment is one transaction, and one sync."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.exc import IntegrityError

from oarflow.node.database.engine import Database
from oarflow.node.database.quick import Transaction

T = TypeVar("T")


@dataclass
class _Wish(Generic[T]):
    """What a thread waits for. order: of the rows that it locks, the same everywhere."""

    order: str
    write: Callable[[Transaction], T]
    value: T | None = None
    error: Exception | None = None
    settled: bool = False


class Together:
    """Writes for its callers: the first of those who wait writes for all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Wish[object]] = []
        self._mutex = threading.Lock()
        self._turn = threading.Lock()

    def write(self, order: str, work: Callable[[Transaction], T]) -> T:
        """Committed on return. Raises what the work or the commit raises.

        work: may be called twice, the first time in vain. order: those that lock several rows
        among them do so in this order.
        """
        wish = _Wish(order, work)
        with self._mutex:
            self._waiting.append(wish)  # type: ignore[arg-type]
        with self._turn:
            if not wish.settled:
                with self._mutex:
                    batch, self._waiting = self._waiting, []
                self._write(sorted(batch, key=lambda one: one.order))
        if wish.error is not None:
            raise wish.error
        return wish.value  # type: ignore[return-value]

    def _write(self, batch: list[_Wish[object]]) -> None:
        try:
            with self._database.begin_quickly() as transaction:
                for wish in batch:
                    wish.value = wish.write(transaction)
        except IntegrityError as error:
            if len(batch) > 1:  # one of them: the others shall not suffer
                for wish in batch:
                    self._write([wish])
                return
            batch[0].error = error
        except Exception as error:
            for wish in batch:
                wish.error = error
        finally:
            for wish in batch:
                wish.settled = True
