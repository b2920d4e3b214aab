"""A receiving process: connections that the listener accepted come to it through a channel."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from dataclasses import dataclass
from typing import Any

from pynetdicom import AE, evt

from oarflow.node import logs
from oarflow.node.database import Database
from oarflow.node.delivery.reports import commitment
from oarflow.node.listener.guard import GuardedServer
from oarflow.node.listener.receiver import Receiver
from oarflow.node.listener.rehearsal import rehearse
from oarflow.node.listener.server import Listener
from oarflow.node.listener.tally import Tally
from oarflow.node.logs import Sparing
from oarflow.node.settings import NodeSettings


@dataclass(frozen=True)
class Order:
    """What a process is to be.

    channel: where connections come from; its end is the process's. place: of this process in the
    tally. sparing: of all processes. address: the listener's, as its socket has it. parent: the
    node's process ID.
    """

    settings: NodeSettings
    channel: socket.socket
    tally: Tally
    place: int
    sparing: Sparing
    address: Any
    parent: int
    log_level: int


class SharingAE(AE):
    """Associations of the other processes count."""

    tally: Tally
    place: int

    @property
    def maximum_associations(self) -> int:
        """How many this process may have now."""
        return self._maximum_associations - self.tally.elsewhere(self.place)

    @maximum_associations.setter
    def maximum_associations(self, value: int) -> None:
        self._maximum_associations = value


class HandedServer(GuardedServer):
    """Connections come through a channel, from a listener that accepted them."""

    order: Order
    ended: threading.Event

    def follow(self, order: Order) -> None:
        """Serve the channel in place of a port."""
        assert self.socket is not None
        self.socket.close()
        self.socket = order.channel
        self.server_address = order.address
        self.order, self.ended = order, threading.Event()
        self.bind(evt.EVT_REQUESTED, lambda _event: self.count())

    def server_bind(self) -> None:
        """There is no port."""

    def server_activate(self) -> None:
        """Nor does anybody queue for it."""

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection. Raises OSError where there is none, or its peer has gone."""
        assert self.socket is not None
        _, descriptors, _, _ = socket.recv_fds(self.socket, 1, 1)
        if not descriptors:
            if os.getppid() != self.order.parent:  # killed: nothing may go on beside its successor
                os._exit(1)
            self.ended.set()
            raise OSError("the listener has ended")
        connection = socket.socket(fileno=descriptors[0])
        self.order.tally.take(self.order.place)
        try:
            return connection, connection.getpeername()
        except OSError:
            connection.close()
            raise

    def service_actions(self) -> None:
        """Several times a second."""
        super().service_actions()
        self.order.tally.beat(self.order.place)
        self.count()

    def count(self) -> None:
        """Let the others know of this process's associations."""
        self.order.tally.set_live(self.order.place, len(self.active_associations))
        with self._admitting:
            self.publish()

    def publish(self) -> None:
        """At once: another process may be asked for the next association."""
        self.order.tally.set_addresses(self.order.place, self.addresses())

    def associations_from(self, address: str) -> int:
        """Those of the other processes count, too."""
        elsewhere = self.order.tally.elsewhere_from(self.order.place, address)
        return super().associations_from(address) + elsewhere


def run(order: Order) -> None:
    """Receive until the channel ends. The process is this function."""
    logs.set_up(order.log_level)
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's, meant for the node
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = order.settings
    database = Database(settings.database_url, settings.database.busy_seconds)
    listener = Listener(
        settings.listener,
        Receiver(settings, database),
        [commitment(database, settings.delivery.retry)],
        SharingAE,
        order.sparing,
    )
    server = listener.open(HandedServer)
    assert isinstance(server, HandedServer)
    assert isinstance(server.ae, SharingAE)
    server.ae.tally, server.ae.place = order.tally, order.place
    server.follow(order)
    rehearse(database)
    gc.collect()
    gc.freeze()  # as the node's: what is here now stays
    serving = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    serving.start()
    order.tally.begin(order.place)
    while not (server.ended.wait(0.2) or stop.is_set()):
        pass
    listener.stop()
    database.close()
