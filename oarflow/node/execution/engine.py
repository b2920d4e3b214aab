"""Runs on Dask: on the node's own worker processes or those of a scheduler."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

import dask
from distributed import Client, Future, LocalCluster
from distributed.security import Security

from oarflow.node.execution.heartbeats import SilenceMonitor
from oarflow.node.execution.order import RunOrder, RunOutcome
from oarflow.node.execution.remote import TOPIC, perform
from oarflow.node.settings import ExecutionSettings

LOGGER = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
START_SECONDS = 20.0
"""How long (s) a worker process of the node may take to start."""
RESTART_SECONDS = 60.0
"""How long (s) a worker process may be missing while it is replaced."""


class EngineLost(Exception):
    """The scheduler does not answer or was restarted: all runs are lost."""


@dataclass(frozen=True)
class Heartbeat:
    """A run is alive. progress: its last report."""

    job_id: int
    token: str
    progress: dict[str, Any]


class Ticket:
    """A submitted run."""

    def __init__(self, future: Future[RunOutcome]) -> None:
        self._future = future

    @property
    def lost(self) -> bool:
        """Whether the engine no longer knows the run."""
        return self._future.status in ("cancelled", "lost")

    @property
    def over(self) -> bool:
        """Whether the run has ended, with an outcome or an error of the engine."""
        return self._future.status in ("finished", "error")

    def outcome(self) -> RunOutcome:
        """The outcome of a run that is over. Raises EngineLost if the engine gave up on it."""
        try:
            return self._future.result(timeout=CONNECT_SECONDS)
        except (Exception, CancelledError) as error:
            raise EngineLost(type(error).__name__) from error

    @property
    def key(self) -> str:
        """The run's name in the engine."""
        return str(self._future.key)

    def release(self) -> None:
        """Let the engine forget the run."""
        with contextlib.suppress(Exception):
            self._future.cancel()


class OwnWorkers(LocalCluster):
    """Worker processes of the node. Each keeps its own GPU, also after a restart."""

    def __init__(self, gpus: Sequence[str], **options: Any) -> None:
        self._gpus = gpus
        super().__init__(n_workers=0, **options)  # type: ignore[no-untyped-call]

    def new_worker_spec(self) -> dict[int | str, dict[str, Any]]:
        """The next worker, numbered from 0."""
        ((name, spec),) = super().new_worker_spec().items()  # type: ignore[no-untyped-call]
        if not self._gpus:
            return {name: spec}
        device = {"CUDA_VISIBLE_DEVICES": self._gpus[len(self.worker_spec)]}
        return {name: {**spec, "options": {**spec["options"], "env": device}}}

    def replace(self, address: str) -> bool:
        """Kill a worker's process; Dask's nanny starts a new one. Returns whether there was one."""
        for nanny in self.workers.values():
            if nanny.worker_address == address and nanny.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(
                        nanny.pid, signal.SIGKILL
                    )  # a process that hangs reacts to nothing else
                return True
        return False


class Engine:
    """The connection to the workers. open() makes it, also after close()."""

    def __init__(
        self, settings: ExecutionSettings, on_end: Callable[[], None] = lambda: None
    ) -> None:
        """on_end: called in another thread when a run ends."""
        self._settings = settings
        self._on_end = on_end
        self._cluster: OwnWorkers | None = None
        self._client: Client | None = None
        self._scheduler_id = ""
        self._lacking_since: float | None = None
        self._start_failed = False
        self._monitor: SilenceMonitor[str] = SilenceMonitor()
        self._silent: set[str] = set()
        self._restarted: set[str] = set()
        self._live: list[str] = []
        self._heartbeats: queue.SimpleQueue[Heartbeat] = queue.SimpleQueue()

    def open(self) -> None:
        """Connect, if not connected. Raises EngineLost."""
        if self._client is not None:
            return
        with dask.config.set(_DASK):
            try:
                address = self._settings.scheduler or self._start_cluster()
                self._client = Client(
                    address,
                    security=self._security(),
                    timeout=CONNECT_SECONDS,
                    set_as_default=False,
                    name="oarflow-node",
                )
                self._client.subscribe_topic(TOPIC, self._receive)
                self._scheduler_id = self._client.scheduler_info(n_workers=0)["id"]
            except Exception as error:
                self.close()
                raise EngineLost(f"no scheduler ({type(error).__name__})") from error

    def _start_cluster(self) -> OwnWorkers:
        """Start the node's own workers, with temporary certificates that keep other users out."""
        self._cluster = OwnWorkers(
            self._settings.gpus,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            dashboard_address=None,
            host="127.0.0.1",
            security=Security.temporary(),
            silence_logs=logging.CRITICAL,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        )
        self._cluster.scale(self._settings.workers)  # type: ignore[no-untyped-call]
        return self._cluster

    def _security(self) -> Security | None:
        tls = self._settings.scheduler_tls
        if tls is None:
            return None
        return Security(
            tls_ca_file=str(tls.ca),
            tls_client_cert=str(tls.certificate),
            tls_client_key=str(tls.key),
            require_encryption=True,
        )

    def close(self) -> None:
        """Close the connection, and end the node's own workers."""
        for part in (self._client, self._cluster):
            if part is not None:
                with contextlib.suppress(Exception):
                    part.close(timeout=5)
        self._client = self._cluster = None
        self._lacking_since = None
        self._silent, self._restarted, self._live = set(), set(), []

    def slots(self) -> int:
        """How many runs fit at once on the workers that do not hang. Raises EngineLost."""
        workers = self._info()["workers"]
        self._check_own(len(workers))
        self._look_for_hanging(workers)
        return sum(self._room(workers[address]) for address in self._live)

    def trouble(self) -> str | None:
        """What is wrong with the workers, for a person; None if nothing."""
        if self._silent:
            return f"workers without a sign of life: {len(self._silent)}"
        since = self._lacking_since
        late = since is not None and time.monotonic() - since > START_SECONDS
        if late or self._start_failed:
            return "a worker process is not running"
        return None

    def _look_for_hanging(self, workers: Mapping[str, Any]) -> None:
        """Give a silent worker no work, and replace it if its silence lasts."""
        limit = self._settings.lease_seconds
        silent_for = self._monitor.look({name: one["last_seen"] for name, one in workers.items()})
        self._silent = {name for name, seconds in silent_for.items() if seconds > limit / 2}
        self._live = [name for name in workers if name not in self._silent]
        self._restarted &= self._silent
        for name in self._silent:
            if silent_for[name] > limit:
                self._replace(name, f"gives no sign of life for {silent_for[name]:.0f} s")

    def _replace(self, address: str, why: str) -> None:
        if self._cluster is not None:
            if self._cluster.replace(address):
                LOGGER.error("a worker process %s; it is replaced", why)
        elif address not in self._restarted:
            # Its host may not answer, so the node does not wait.
            self._restarted.add(address)
            LOGGER.error("the worker %s %s; its nanny is asked to restart it", address, why)
            threading.Thread(target=self._restart, args=(address,), daemon=True).start()

    def _restart(self, address: str) -> None:
        """Ask the scheduler to restart a worker on another machine."""
        client = self._client
        try:
            if client is not None:
                client.restart_workers([address], timeout=RESTART_SECONDS)
        except Exception as error:
            message = "the worker %s cannot be restarted by the node (%s): restart it on its host"
            LOGGER.error(message, address, type(error).__name__)

    def give_up(self, ticket: Ticket) -> None:
        """Replace the node's own worker that is still busy with a run without heartbeat."""
        if self._cluster is None or self._client is None:
            return
        try:
            processing = self._client.processing()
        except Exception as error:
            LOGGER.debug(
                "the scheduler does not name the worker of a run: %s", type(error).__name__
            )
            return
        for address, keys in processing.items():
            if ticket.key in keys:
                self._replace(address, "hangs in a run")

    def _check_own(self, count: int) -> None:
        """Start all workers again if Dask could not replace one of the node's own."""
        if self._cluster is None or count >= self._settings.workers:
            self._lacking_since = None
            self._start_failed = False
            return
        moment = time.monotonic()
        self._lacking_since = self._lacking_since or moment
        if moment - self._lacking_since > RESTART_SECONDS:
            self._start_failed = True
            raise EngineLost("a worker process is gone and does not come back")

    def _info(self) -> dict[str, Any]:
        client = self._client
        if client is None or client.scheduler is None or client.status != "running":
            raise EngineLost("the connection to the scheduler is gone")
        try:
            info: dict[str, Any] = client.sync(
                client.scheduler.identity, n_workers=-1, callback_timeout=CONNECT_SECONDS
            )
        except Exception as error:
            raise EngineLost("the scheduler does not answer") from error
        if info["id"] != self._scheduler_id:
            raise EngineLost("the scheduler was restarted")
        return info

    def _room(self, worker: dict[str, Any]) -> int:
        has = worker.get("resources", {})
        rooms = [int(has.get(name, 0) // need) for name, need in self._settings.resources.items()]
        return min([int(worker.get("nthreads", 0)), *rooms])

    def submit(self, order: RunOrder) -> Ticket:
        """Hand a run to the workers. Raises EngineLost."""
        if self._client is None:
            raise EngineLost("not connected")
        try:
            future = self._client.submit(
                perform,
                order,
                key=f"oarflow-{order.job_id}-{order.token}",
                pure=False,
                resources=self._settings.resources or None,
                workers=self._live if self._silent else None,
            )
        except Exception as error:
            raise EngineLost("the scheduler takes no work") from error
        future.add_done_callback(lambda _: self._on_end())
        return Ticket(future)

    def heartbeats(self) -> list[Heartbeat]:
        """Heartbeats since the last call."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._heartbeats.get_nowait())
        return found

    def _receive(self, event: tuple[float, Any]) -> None:
        message = event[1]
        with contextlib.suppress(TypeError, KeyError, ValueError):
            progress = message["progress"]
            self._heartbeats.put(
                Heartbeat(int(message["job"]), str(message["token"]), dict(progress))
            )


_DASK = {
    # Dask's monitoring of processor and memory is not used.
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.scheduler.allowed-failures": 1,
    "distributed.comm.timeouts.connect": "10s",
    "distributed.comm.timeouts.tcp": "30s",
    "distributed.worker.daemon": True,
    "distributed.nanny.pre-spawn-environ": {},
    # Dask's HTTP servers are not used: the node has its own page and metrics.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
