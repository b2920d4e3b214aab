"""Several processes receive: the listener accepts a connection, and one of them has it then.

One Python process executes on one processor at a time. Addresses and limits are looked at here, as
they are where one process receives; a connection goes, unread, to the process that has fewest.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import socket
import time
from dataclasses import dataclass
from typing import Any

from oarflow.errors import ConfigurationError
from oarflow.node.execution.heartbeats import SilenceMonitor
from oarflow.node.listener.guard import GuardedServer
from oarflow.node.listener.process import Order, run
from oarflow.node.listener.receiver import Receiver
from oarflow.node.listener.server import Listener
from oarflow.node.listener.tally import Tally
from oarflow.node.logs import Sparing
from oarflow.node.settings import ListenerSettings, NodeSettings

LOGGER = logging.getLogger(__name__)

START_SECONDS = 60.0
STOP_SECONDS = 20.0
AGAIN_SECONDS = 1.0
"""A process that ended is started anew, but not more often than so."""
SILENT_SECONDS = 10.0
"""Without a sign of life for so long a process gets no connections, and is trouble."""
HANG_SECONDS = 30.0
"""After so long it is killed, and started anew."""

_SPAWN = multiprocessing.get_context("spawn")


@dataclass
class _Member:
    """A receiving process. channel: connections go through it. handed: how many did.

    lost: it ended, and that is told. silence: seconds without a sign of life.
    """

    process: Any
    channel: socket.socket
    began: float
    handed: int = 0
    lost: bool = False
    silence: float = 0.0


class Processes:
    """The receiving processes; the listener's thread hands over, and looks after them."""

    def __init__(self, settings: NodeSettings) -> None:
        self._settings = settings
        own = settings.listener
        self._tally = Tally(own.processes, own.max_associations)
        self._pulse: SilenceMonitor[int] = SilenceMonitor()
        self.sparing = Sparing()
        self._members: dict[int, _Member] = {}
        self._address: Any = None
        self._last = 0

    def start(self, address: Any) -> None:
        """Start them; back when they take connections. Raises ConfigurationError (LISTENER).

        address: where the listener listens, as its socket has it.
        """
        self._address = address
        for place in range(self._settings.listener.processes):
            self._begin(place)
        until = time.monotonic() + START_SECONDS
        while not all(self._tally.ready(place) for place in self._members):
            alive = all(member.process.is_alive() for member in self._members.values())
            if not alive or time.monotonic() > until:
                self.stop()
                raise ConfigurationError("LISTENER", "a receiving process does not start")
            time.sleep(0.05)

    def _begin(self, place: int) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._tally.clear(place)
        order = Order(
            settings=self._settings,
            channel=theirs,
            tally=self._tally,
            place=place,
            sparing=self.sparing,
            address=self._address,
            parent=os.getpid(),
            log_level=logging.getLogger("oarflow.node").level,
        )
        process = _SPAWN.Process(target=run, args=(order,), name=f"receiver-{place}", daemon=True)
        process.start()
        theirs.close()
        self._members[place] = _Member(process, ours, time.monotonic())

    def connections(self) -> int:
        """How many associations there are, and connections not yet taken, all together."""
        return sum(self._load(place)[1] for place in self._members)

    def _load(self, place: int) -> tuple[bool, int]:
        """Whether it is silent; its associations, and connections that are not yet taken."""
        on_their_way = self._members[place].handed - self._tally.taken(place)
        silent = self._members[place].silence > SILENT_SECONDS
        return silent, self._tally.live(place) + on_their_way

    def hand(self, connection: socket.socket) -> bool:
        """Hand a connection over. False where nobody takes it. It stays open here."""
        count = self._settings.listener.processes
        turns = [(self._last + 1 + step) % count for step in range(count)]
        ready = [place for place in turns if self._tally.ready(place)]
        for place in sorted(ready, key=self._load):
            member = self._members[place]
            try:
                socket.send_fds(member.channel, [b"."], [connection.fileno()])
            except OSError:  # it has just ended, or hangs
                continue
            member.handed += 1
            self._last = place
            return True
        LOGGER.error("no receiving process takes a connection; it is closed")
        return False

    def look_after(self) -> None:
        """Start anew what ended or hangs. Its associations end with it, unanswered."""
        silence = self._pulse.look(
            {place: (one.began, self._tally.beats(place)) for place, one in self._members.items()}
        )
        for place, member in list(self._members.items()):
            member.silence = silence[place]
            if member.process.is_alive():
                self._end_if_it_hangs(place, member)
                continue
            if not member.lost:
                member.lost = True
                LOGGER.error(
                    "receiving process %d ended (exit status %s); it is started anew",
                    place,
                    member.process.exitcode,
                )
                self._tally.clear(place)
                member.handed = 0
            if time.monotonic() - member.began > AGAIN_SECONDS:
                self._begin(place)
                member.channel.close()
                member.process.close()

    def _end_if_it_hangs(self, place: int, member: _Member) -> None:
        limit = HANG_SECONDS if self._tally.ready(place) else START_SECONDS
        if member.silence > limit:
            LOGGER.error(
                "receiving process %d gives no sign of life for %.0f s; it is killed",
                place,
                member.silence,
            )
            member.process.kill()
            member.process.join(1.0)

    def pids(self) -> list[int]:
        """Process IDs, by place."""
        return [self._members[place].process.pid for place in sorted(self._members)]

    def taken(self) -> list[int]:
        """How many connections each has taken since it began, by place."""
        return [self._tally.taken(place) for place in sorted(self._members)]

    def trouble(self) -> str | None:
        """What is wrong, in words for a person."""
        lacking = sum(not self._tally.ready(place) for place in self._members)
        if lacking:
            return f"{lacking} of the receiving processes are not running"
        silent = sum(member.silence > SILENT_SECONDS for member in list(self._members.values()))
        return f"{silent} of the receiving processes give no sign of life" if silent else None

    def stop(self) -> None:
        """Stop them; an instance in hand is finished or unanswered."""
        for member in self._members.values():
            member.channel.close()
        until = time.monotonic() + STOP_SECONDS
        for member in self._members.values():
            member.process.join(max(until - time.monotonic(), 0))
            if member.process.is_alive():
                LOGGER.error("a receiving process does not end; it is killed")
                member.process.kill()
                member.process.join()
        self._members.clear()


class SharedListener(Listener):
    """A listener whose connections are served by processes. processes: not started yet."""

    def __init__(
        self, processes: Processes, settings: ListenerSettings, receiver: Receiver
    ) -> None:
        super().__init__(settings, receiver, sparing=processes.sparing)
        self._processes = processes

    def start(self) -> None:
        """Listen. Raises ConfigurationError (LISTENER, TLS)."""
        server = self.open(HandingServer)
        assert isinstance(server, HandingServer)
        server.processes = self._processes
        try:
            self._processes.start(server.server_address)
            server.listen()
        except BaseException:
            self._server = None
            server.server_close()
            self._processes.stop()
            raise
        self._serve(server)

    def stop(self) -> None:
        """Stop; an instance in hand is finished or unanswered."""
        super().stop()
        self._processes.stop()

    def trouble(self) -> str | None:
        return super().trouble() or self._processes.trouble()


class HandingServer(GuardedServer):
    """Accepts, and hands over."""

    processes: Processes

    def server_activate(self) -> None:
        """Not yet: who calls before anybody receives is refused at once, not left to wait."""

    def listen(self) -> None:
        """Let peers in. Raises ConfigurationError (LISTENER)."""
        try:
            super().server_activate()
        except OSError as error:
            host, port = self.server_address[:2]
            raise ConfigurationError(
                "LISTENER", f"cannot listen on {host}:{port}: {error.strerror}"
            ) from error

    def process_request(self, request: Any, _client_address: Any) -> None:
        """Closed here, and open where it went."""
        if self.processes.hand(request):
            with contextlib.suppress(OSError):
                request.close()
        else:
            self.shutdown_request(request)

    def service_actions(self) -> None:
        """Several times a second."""
        super().service_actions()
        self.processes.look_after()
