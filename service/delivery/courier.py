"""The courier: looks for what is due, sends it, one delivery at a time to each destination."""

from __future__ import annotations

import logging
import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from service.database import deliveries, leases
from service.database.deliveries import Way
from service.database.models import Delivery, now
from service.delivery import planning
from service.delivery.alarm import Alarm, ring
from service.delivery.attempt import Attempt
from service.delivery.pauses import due, pause_after
from service.parts import Context

logger = logging.getLogger(__name__)

MAX_SENDERS = 8
"""Destinations that are served at the same time."""


@dataclass(frozen=True)
class _InHand:
    delivery_id: int
    token: str
    future: Future[None]


class Courier:
    """The node's part that delivers. All it knows is in the database: it can die at any time."""

    name = "delivery"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = context.database
        self._settings = context.settings.delivery
        self._owner = f"courier {socket.gethostname()} {context.settings.storage.root}"[:128]
        self._watch = leases.Watch(context.settings.execution.lease_seconds)
        self._senders = ThreadPoolExecutor(MAX_SENDERS, thread_name_prefix="delivery")
        self._in_hand: dict[str, _InHand] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: str | None = None

    def start(self) -> None:
        """Begin; what this node had in hand when it died is taken up at once."""
        self._thread = threading.Thread(target=self._work, name="courier", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop; objects on the wire are sent to their end."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._senders.shutdown(wait=True, cancel_futures=True)

    def trouble(self) -> str | None:
        if self._thread is not None and not self._thread.is_alive() and not self._ended.is_set():
            return "the courier has died"
        return self._trouble

    def _work(self) -> None:
        fresh = True
        while not self._ended.is_set():
            try:
                if fresh:
                    self._take_up()
                    fresh = False
                self.turn()
                self._trouble = None
            except SQLAlchemyError as error:
                self._trouble = f"the database does not do what it should ({type(error).__name__})"
                logger.error("delivery: %s", self._trouble)
            self._ended.wait(self._settings.poll_seconds)

    def _take_up(self) -> None:
        with self._database.write() as session:
            mine = [
                lease
                for lease in leases.all_leases(session, deliveries.LEASES)
                if lease.owner == self._owner
            ]
            deliveries.give_up_claims(session, mine)

    def turn(self) -> None:
        """Look once: begin, take up, send, ask again."""
        self._beat()
        with self._database.write() as session:
            planning.begin_all(session, self._context.settings)
            lost = self._watch.lost(leases.all_leases(session, deliveries.LEASES))
            deliveries.give_up_claims(session, lost)
        self._ask_again()
        self._send()

    def _beat(self) -> None:
        for name, held in list(self._in_hand.items()):
            if held.future.done():
                del self._in_hand[name]
                if (error := held.future.exception()) is not None:
                    logger.error("delivery to %s broke off: %s", name, type(error).__name__)
            else:
                with self._database.write() as session:
                    leases.beat(session, deliveries.resource(held.delivery_id), held.token)

    def _send(self) -> None:
        with self._database.read() as session:
            waiting = deliveries.candidates(session, Way.WAITING)
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
        """The peer has stored, and said nothing since: ask it again, or give up."""
        alarms = []
        with self._database.write() as session:
            for delivery in deliveries.candidates(session, Way.COMMITTING):
                if delivery.next_at > now():
                    continue
                delivery.attempts += 1
                pause = pause_after(delivery.attempts, self._settings.retry)
                reason = "stored, but the peer has not said that it keeps it"
                if pause is None:
                    deliveries.settle(session, delivery, Way.DEAD_LETTER, reason)
                    alarms.append(_alarm(delivery, reason))
                else:
                    deliveries.wait(session, delivery, now() + pause, reason)
        for alarm in alarms:
            ring(self._settings.alarm, alarm)


def _alarm(delivery: Delivery, reason: str) -> Alarm:
    return Alarm(delivery.job.key, delivery.destination, reason)
