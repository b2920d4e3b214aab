"""Hands queued jobs to workers, and sets their state by the outcome.

The engine may lose or repeat a run. A run counts only while its token holds the job's lease.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from oarflow.node.assembly.worker import Worker
from oarflow.node.database import Database, jobs, leases, template_sets
from oarflow.node.database.models import Job
from oarflow.node.execution import workspace
from oarflow.node.execution.engine import Engine, EngineLost, Ticket
from oarflow.node.execution.order import End, RunOutcome
from oarflow.node.execution.results import Conclusion, NotProven, conclude, read_result
from oarflow.node.settings import NodeSettings
from oarflow.node.states import State
from oarflow.result import FILE_NAME

LOGGER = logging.getLogger(__name__)

TICK_SECONDS = 0.5


@dataclass
class _ActiveRun:
    """A run under way. heartbeats: whether any arrived."""

    job_id: int
    token: str
    ticket: Ticket
    heartbeats: bool = False


class Executor(Worker):
    """The part of the node that runs jobs."""

    name = "execution"

    def __init__(
        self,
        settings: NodeSettings,
        database: Database,
        engine: Engine | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(TICK_SECONDS)
        self._settings = settings
        self._root = settings.storage.root
        self._database = database
        self._engine = engine or Engine(settings.execution, self.wake)
        self._watch = leases.Watch(settings.execution.lease_seconds, clock)
        self._runs: dict[int, _ActiveRun] = {}
        self._owner = f"{socket.gethostname()[:100]}"

    def recover(self) -> int:
        """Accept runs that ended while the node was stopped, and queue the others again.

        Call it before start. Returns the number of runs.
        """
        with self._database.read() as session:
            held = {lease.resource: lease.token for lease in leases.all_leases(session, "run:")}
            unfinished = [
                (job.id, held.get(jobs.resource(job.id), ""))
                for job in jobs.in_state(session, State.RUNNING)
            ]
        for job_id, token in unfinished:
            outcome = self._finished(job_id, token)
            if outcome is not None:
                self._settle(outcome)
                continue
            workspace.stop(self._root, job_id)
            self._requeue(job_id, token, "the node was restarted", counts=False)
        return len(unfinished)

    def _finished(self, job_id: int, token: str) -> RunOutcome | None:
        """The outcome of a run that ended while the node was stopped; None if it did not end."""
        folder = workspace.job_folder(self._root, job_id) / token
        for output in folder.glob(f"out-*/{FILE_NAME}") if token else ():
            try:
                status = read_result(output.parent).exit_status
            except NotProven:
                continue
            return RunOutcome(job_id, token, End.EXITED, str(output.parent), status)
        return None

    def stop(self) -> None:
        """Stop, and queue the jobs under way for the next start."""
        super().stop()
        for run in list(self._runs.values()):
            workspace.stop(self._root, run.job_id)
            self._requeue(run.job_id, run.token, "the node was stopped", counts=False)
        self._engine.close()

    def tick(self) -> None:
        """Collect outcomes, give up lost runs, and hand out queued jobs."""
        try:
            self._engine.open()
            slots = self._engine.slots()
        except EngineLost as error:
            self._engine_lost(error)
            raise
        self._record_heartbeats()
        self._collect()
        self._look_for_lost()
        self._hand_out(slots)

    def attempt(self) -> None:
        """A tick. A scheduler that does not answer is trouble, not a fault."""
        try:
            self.tick()
            self._trouble = None
        except EngineLost as error:
            self._report(str(error))
        except Exception:
            super().attempt()

    def trouble(self) -> str | None:
        return super().trouble() or self._engine.trouble()

    def _engine_lost(self, error: EngineLost) -> None:
        """Queue all runs under way again, and close the connection for a new one."""
        for run in list(self._runs.values()):
            workspace.stop(self._root, run.job_id)
            self._requeue(run.job_id, run.token, f"{error}", counts=False)
        self._runs.clear()
        self._engine.close()

    def _record_heartbeats(self) -> None:
        """Renew the leases of runs by their heartbeats."""
        latest = {beat.token: beat for beat in self._engine.heartbeats()}
        for beat in latest.values():
            run = self._runs.get(beat.job_id)
            if run is None or run.token != beat.token:
                continue
            run.heartbeats = True
            with self._database.write() as session:
                counts = jobs.progressed(session, beat.job_id, beat.token, beat.progress)
            if not counts:  # cancelled, or more slices arrived
                workspace.stop(self._root, beat.job_id)

    def _collect(self) -> None:
        """Settle runs that are over, and drop runs that no longer count."""
        for run in list(self._runs.values()):
            if run.ticket.over:
                try:
                    outcome = run.ticket.outcome()
                except EngineLost:
                    self._requeue(
                        run.job_id, run.token, "the worker was lost", counts=run.heartbeats
                    )
                else:
                    self._settle(outcome)
                self._forget(run)
            elif run.ticket.lost:
                self._requeue(run.job_id, run.token, "the engine lost the run", counts=False)
                self._forget(run)
            elif not self._counts(run):
                workspace.stop(self._root, run.job_id)

    def _counts(self, run: _ActiveRun) -> bool:
        with self._database.read() as session:
            return leases.held(session, jobs.resource(run.job_id), run.token)

    def _forget(self, run: _ActiveRun) -> None:
        run.ticket.release()
        self._runs.pop(run.job_id, None)

    def _look_for_lost(self) -> None:
        """Give up every run whose lease has no heartbeat for too long."""
        with self._database.read() as session:
            held = leases.all_leases(session, "run:")
        for lease in self._watch.lost(held):
            job_id = int(lease.resource.partition(":")[2])
            run = self._runs.get(job_id)
            workspace.stop(self._root, job_id)
            started = run is None or run.heartbeats
            reason = "the worker gave no sign of life" if started else "no worker took it"
            self._requeue(job_id, lease.token, reason, counts=started)
            if run is not None and run.token == lease.token:
                if run.heartbeats:
                    self._engine.give_up(run.ticket)
                self._forget(run)

    def _hand_out(self, slots: int) -> None:
        with self._database.read() as session:
            waiting = [
                job.id for job in jobs.in_state(session, State.QUEUED) if job.id not in self._runs
            ]
        for job_id in waiting[: max(0, slots - len(self._runs))]:
            self._begin(job_id)

    def _begin(self, job_id: int) -> None:
        with self._database.write() as session:
            job = jobs.load(session, job_id)
            if job.state is not State.QUEUED:
                return
            token = jobs.begin(session, job, self._owner)
            instances = [one for one in job.series.instances if one.deleted_at is None]
            key, epoch = job.key, job.epoch or 0
            templates, context = template_sets.texts_of(session, job), _context(job)
        try:
            workspace.tidy(self._root, job_id, None)
            folder = workspace.prepare(self._root, job_id, token, instances)
            workspace.keep_templates(folder, templates)
            order = workspace.order(self._settings, job_id, token, folder, epoch, context=context)
            self._runs[job_id] = _ActiveRun(job_id, token, self._engine.submit(order))
        except OSError as error:
            LOGGER.error("job %s cannot be prepared: %s", key, error.strerror)
            self._requeue(
                job_id,
                token,
                "its images cannot be linked or copied into the run's folder",
                counts=True,
            )

    def _settle(self, outcome: RunOutcome) -> None:
        """Set the job's state by the outcome of a run, if the run still counts."""
        with self._database.read() as session:
            job = jobs.running(session, outcome.job_id, outcome.token)
            series_uid = job.series.series_uid if job is not None else ""
        if job is None:
            return
        conclusion = conclude(outcome, series_uid)
        with self._database.write() as session:
            job = jobs.running(session, outcome.job_id, outcome.token)
            if job is None:
                return
            self._apply(session, job, conclusion, Path(outcome.output))
            keep = self._root / job.output if job.output else None
        workspace.tidy(self._root, outcome.job_id, keep)

    def _apply(self, session: Session, job: Job, conclusion: Conclusion, output: Path) -> None:
        job.exit_status, job.refusal = conclusion.exit_status, conclusion.refusal
        if conclusion.state is State.FAILED:
            self._again_or_fail(session, job, conclusion.reason, conclusion.again)
            return
        job.output = output.relative_to(self._root).as_posix()
        jobs.move(session, job, conclusion.state, conclusion.reason)

    def _again_or_fail(self, session: Session, job: Job, reason: str, again: bool) -> None:
        attempts = self._settings.execution.attempts
        if again and job.attempts < attempts:
            jobs.move(session, job, State.QUEUED, f"{reason}; the job runs again")
        elif again:
            jobs.move(session, job, State.FAILED, f"{reason}; {job.attempts} attempts")
        else:
            jobs.move(session, job, State.FAILED, reason)

    def _requeue(self, job_id: int, token: str, reason: str, counts: bool) -> None:
        """Queue the job of a lost run again. counts: whether the run used up an attempt."""
        with self._database.write() as session:
            job = jobs.load(session, job_id)
            if job.state is not State.RUNNING:
                return
            if token and not leases.held(session, jobs.resource(job_id), token):
                return
            if not counts:
                job.attempts = max(0, job.attempts - 1)
            self._again_or_fail(session, job, reason, again=True)


def _context(job: Job) -> dict[str, str]:
    """What the rules of templates read besides the header: the AE titles."""
    titles = {"calling_ae": job.series.study.calling_ae, "called_ae": job.series.called_ae}
    return {name: "".join(filter(str.isprintable, title)) for name, title in titles.items()}
