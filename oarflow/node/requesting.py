"""Associations that the node asks for: an answer reaches whoever waits for it.

pynetdicom's own thread of an association must stand still while a request is under way. It is asked
to by an event, and says by a flag that it does; but the flag may still be that of the last pause,
which the thread has left without a turn to say so. It then takes the answer as something nobody
asked for, and the caller waits for it until the time is up. Here a pause that was asked for holds.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association


class _Checkpoint(threading.Event):
    """Where an association's thread is held: once cleared, nobody gets by unseen.

    Who gets by is seen to be under way before anybody else can clear it.
    """

    def __init__(self, association: Association) -> None:
        super().__init__()
        self._association = association
        self._gate = threading.Lock()
        self.set()

    def clear(self) -> None:
        with self._gate:
            super().clear()

    def wait(self, timeout: float | None = None) -> bool:
        while True:
            if not super().wait(timeout):
                return False
            with self._gate:
                if self.is_set():
                    self._association._is_paused = False
                    return True


def _watch(event: evt.Event) -> None:
    """The connection stands; the association's thread has not come to its checkpoint yet."""
    event.assoc._reactor_checkpoint = _Checkpoint(event.assoc)


def associate(
    entity: AE,
    host: str,
    port: int,
    *,
    ae_title: str,
    handlers: Sequence[tuple[Any, ...]] = (),
    **options: Any,
) -> Association:
    """Ask for an association. handlers, options: of pynetdicom's `AE.associate`."""
    return entity.associate(
        host,
        port,
        ae_title=ae_title,
        evt_handlers=[(evt.EVT_CONN_OPEN, _watch), *handlers],
        **options,
    )
