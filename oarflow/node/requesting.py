"""Associations that the node asks for: an answer reaches whoever waits for it.

An association of pynetdicom has a thread that serves requests of the peer. It must stand still
while a request of our own is under way, but it may be late to do so: it then takes the answer for
something that nobody asked for, and the caller waits for it until the time is up. The node's peers
send no requests of their own on these associations but storage commitment reports, which pynetdicom
serves in another way. So here that thread is given no message at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider


class AnswersOnly(DIMSEServiceProvider):
    """Gives messages to those alone who wait for an answer."""

    def get_msg(self, block: bool = False) -> Any:
        """The association's thread does not block; whoever waits for an answer does."""
        return super().get_msg(block) if block else (None, None)

    def send_msg(self, primitive: Any, context_id: int) -> None:
        """What came unasked must not pass for the answer to this request."""
        if primitive.MessageIDBeingRespondedTo is None:
            while self.peek_msg() != (None, None):
                super().get_msg()
        super().send_msg(primitive, context_id)


def _connected(event: evt.Event) -> None:
    """Before any message was sent."""
    event.assoc.dimse = AnswersOnly(event.assoc)


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
        evt_handlers=[(evt.EVT_CONN_OPEN, _connected), *handlers],
        **options,
    )
