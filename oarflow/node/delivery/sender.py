"""The sender: sends what is due, one delivery at a time to each destination."""

from __future__ import annotations

import logging
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.assembly.worker import Worker
from oarflow.node.database import deliveries, leases
from oarflow.node.database.deliveries import DeliveryState
from oarflow.node.database.models import now
from oarflow.node.delivery import planning
from oarflow.node.delivery.attempt import Attempt
from oarflow.node.delivery.pauses import due, pause_after

logger = logging.getLogger(__name__)

MAX_SENDERS = 8
"""The most destinations that are served at the same time."""


@dataclass(frozen=True)
class _InHand:
    delivery_id: int
    token: str
    future: Future[None]


class Sender(Worker):
    """The part that delivers. All of its state is in the database."""

    name = "delivery"

    def __init__(self, context: NodeContext) -> None:
        super().__init__(context.settings.delivery.poll_seconds)
        self._context = context
        self._database = context.database
        self._settings = context.settings.delivery
        self._owner = f"sender {socket.gethostname()} {context.settings.storage.root}"[:128]
        self._watch = leases.Watch(context.settings.execution.lease_seconds)
        self._senders = ThreadPoolExecutor(MAX_SENDERS, thread_name_prefix="delivery")
        self._in_hand: dict[str, _InHand] = {}
        self._fresh = True

    def stop(self) -> None:
        """Stop after the objects that are being sent."""
        super().stop()
        self._senders.shutdown(wait=True, cancel_futures=True)

    def tick(self) -> None:
        """Take up interrupted deliveries, begin new ones, send, and ask again for reports."""
        if self._fresh:
            self._take_up()
            self._fresh = False
        self._beat()
        with self._database.write() as session:
            planning.begin_all(session, self._context.settings)
            lost = self._watch.lost(leases.all_leases(session, deliveries.LEASES))
            deliveries.give_up_claims(session, lost)
        self._ask_again()
        self._send()

    def _take_up(self) -> None:
        """Let deliveries wait again that this node was sending when it ended."""
        with self._database.write() as session:
            mine = [
                lease
                for lease in leases.all_leases(session, deliveries.LEASES)
                if lease.owner == self._owner
            ]
            deliveries.give_up_claims(session, mine)

    def _beat(self) -> None:
        for name, held in list(self._in_hand.items()):
            if held.future.done():
                del self._in_hand[name]
                if (error := held.future.exception()) is not None:
                    logger.error("the delivery to %s failed: %s", name, type(error).__name__)
            else:
                with self._database.write() as session:
                    leases.beat(session, deliveries.resource(held.delivery_id), held.token)

    def _send(self) -> None:
        with self._database.read() as session:
            waiting = deliveries.candidates(session, DeliveryState.WAITING)
        for delivery in waiting:
            name = delivery.destination
            if name in self._in_hand or not due(delivery.next_at, now(), self._settings.retry):
                continue
            with self._database.write() as session:
                token = deliveries.claim(session, delivery.id, self._owner)
            if token is not None:
                attempt = Attempt(self._context, delivery.id, token)
                future = self._senders.submit(attempt.make)
                self._in_hand[name] = _InHand(delivery.id, token, future)

    def _ask_again(self) -> None:
        """Ask again for commitment reports that are overdue, or give up."""
        with self._database.write() as session:
            for delivery in deliveries.candidates(session, DeliveryState.COMMITTING):
                if delivery.next_at > now():
                    continue
                delivery.attempts += 1
                pause = pause_after(delivery.attempts, self._settings.retry)
                reason = "stored, but the peer has not reported storage commitment"
                if pause is None:
                    deliveries.settle(session, delivery, DeliveryState.DEAD_LETTER, reason)
                else:
                    deliveries.wait(session, delivery, now() + pause, reason)
