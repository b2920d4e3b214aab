"""`oarflow node` as tests need it: without parts they do not use, and killed where they say.

OARFLOW_TEST_KILL: a step at which the node kills itself with SIGKILL. OARFLOW_TEST_ENGINE=here:
runs take place in a thread, without Dask. OARFLOW_TEST_WARM: the application runs in warm processes
if it is not empty.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from oarflow.commands import main
from oarflow.node.assembly import node
from oarflow.node.database import jobs
from oarflow.node.delivery.sender import Sender
from oarflow.node.execution import executor, workspace
from oarflow.node.files import sync_folder
from oarflow.node.series import watcher
from oarflow.node.storage import receiver, spool
from tests.oarflow.node.node_bench import HereEngine, HereTicket, make_application_warm


class ThreadEngine(HereEngine):
    """Runs at once, each in a thread."""

    def __init__(self, *_: object) -> None:
        super().__init__()

    def submit(self, order: Any) -> HereTicket:
        ticket = super().submit(order)
        threading.Thread(target=self.run_last, daemon=True).start()
        return ticket


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, and then the end."""

    def call(*arguments: Any, **named: Any) -> Any:
        value = function(*arguments, **named)
        die()
        return value

    return call


STEPS: dict[str, Callable[[], None]] = {
    "before the rename": lambda: setattr(spool, "write_safely", _half),
    "after the rename": lambda: setattr(receiver.Receiver, "_journal", die),
    "after the journal": lambda: setattr(
        receiver.Receiver, "_journal", after(receiver.Receiver._journal)
    ),
    "while it is judged": lambda: setattr(jobs, "complete", die),
    "when it is queued": lambda: setattr(
        watcher.SeriesWatcher,
        "_consider",
        after(watcher.SeriesWatcher._consider),
    ),
    "when it is handed out": lambda: setattr(workspace, "prepare", die),
    "when it runs": lambda: setattr(executor.Executor, "_record_heartbeats", die_if_running),
    "when it is over": lambda: setattr(executor.Executor, "_settle", die),
    "when it is taken over": lambda: setattr(executor.Executor, "_apply", die),
    "when it is segmented": lambda: setattr(
        executor.Executor, "_settle", after(executor.Executor._settle)
    ),
}


def _half(target: Any, *pieces: bytes) -> None:
    (target.parent / ".part-half").write_bytes(pieces[0])
    sync_folder(target.parent)
    die()


def die_if_running(self: Any) -> None:
    if self._runs:
        die()


if __name__ == "__main__":
    step = os.environ.get("OARFLOW_TEST_KILL")
    if step:
        STEPS[step]()
    if os.environ.get("OARFLOW_TEST_WARM"):
        make_application_warm()
    node.other_parts = lambda context: [Sender(context)]
    if os.environ.get("OARFLOW_TEST_ENGINE") == "here":
        vars(executor)["Engine"] = ThreadEngine
    sys.exit(main(["node", *sys.argv[1:]]))
