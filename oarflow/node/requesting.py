"""Associations that the node opens, without a race for answers in pynetdicom.

A pynetdicom association has a thread that serves the peer's requests. It must pause while a
request of the node is under way. If it pauses too late, it takes the answer as an unexpected
message, and the caller waits until its time limit. Peers send no requests on these associations
except storage commitment reports, which pynetdicom serves separately. So this module gives that
thread no messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider


class AnswersOnly(DIMSEServiceProvider):
    """Gives messages only to callers that wait for an answer."""

    def get_msg(self, block: bool = False) -> Any:
        """A message for a caller that blocks; nothing for the association's thread."""
        return super().get_msg(block) if block else (None, None)

    def send_msg(self, primitive: Any, context_id: int) -> None:
        """Send a request, after dropping unexpected messages, which could pass for its answer."""
        if primitive.MessageIDBeingRespondedTo is None:
            while self.peek_msg() != (None, None):
                super().get_msg()
        super().send_msg(primitive, context_id)


def _connected(event: evt.Event) -> None:
    """Replace the message provider before any message is sent."""
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
    """Open an association. handlers, options: as of pynetdicom's `AE.associate`."""
    return entity.associate(
        host,
        port,
        ae_title=ae_title,
        evt_handlers=[(evt.EVT_CONN_OPEN, _connected), *handlers],
        **options,
    )
