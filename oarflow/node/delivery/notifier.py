"""The notifier: sends alarms until every channel has sent them."""

from __future__ import annotations

import logging

from oarflow.node.assembly.parts import NodeContext, Part
from oarflow.node.assembly.worker import Worker
from oarflow.node.database import alarms
from oarflow.node.database.models import AlarmEntry, now
from oarflow.node.delivery.alarm_channels import Alarm, channels, log_alarm, notify
from oarflow.node.delivery.pauses import due, pause_after

logger = logging.getLogger(__name__)


def part(context: NodeContext) -> Part:
    """The part that sends alarms."""
    return Notifier(context)


class Notifier(Worker):
    """Sends alarms apart from the sender, so that a slow mail server delays no delivery."""

    name = "alarms"

    def __init__(self, context: NodeContext) -> None:
        super().__init__(context.settings.delivery.poll_seconds)
        self._database = context.database
        self._retry = context.settings.delivery.retry
        self._settings = context.settings.delivery.alarm
        self._failing: tuple[str, ...] = ()

    def trouble(self) -> str | None:
        failing = f"alarms cannot be sent by {' and '.join(self._failing)}"
        return super().trouble() or (failing if self._failing else None)

    def tick(self) -> None:
        """Send the alarms that are due."""
        with self._database.read() as session:
            found = [(entry, _alarm(entry)) for entry in alarms.waiting(session)]
        for entry, alarm in found:
            if not due(entry.next_at, now(), self._retry):
                continue
            # After a failure, the other alarms wait for the next tick: each may take long.
            if self._stop.is_set() or not self._give(entry, alarm):
                break

    def _give(self, entry: AlarmEntry, alarm: Alarm) -> bool:
        if entry.attempts == 0:
            log_alarm(alarm)
        wanted = channels(self._settings)
        if entry.event not in self._settings.events:
            self._settle(entry, alarms.NOT_WANTED)
            return True
        left = tuple(one for one in wanted if one not in entry.told)
        failed = notify(self._settings, alarm, left) if left else ()
        told = [one for one in wanted if one not in failed]
        self._failing = failed
        pause = pause_after(entry.attempts + 1, self._retry)
        if not failed:
            self._settle(entry, alarms.GIVEN, told)
        elif pause is None:
            logger.error("the alarm of job %s is given up after the last pause", alarm.job)
            self._settle(entry, alarms.GIVEN_UP, told)
        else:
            with self._database.write() as session:
                alarms.put_off(session, entry.id, now() + pause, told)
        return not failed

    def _settle(self, entry: AlarmEntry, state: str, told: list[str] | None = None) -> None:
        with self._database.write() as session:
            alarms.settle(session, entry.id, state, told or ())


def _alarm(entry: AlarmEntry) -> Alarm:
    at = entry.created_at.isoformat(timespec="seconds")
    return Alarm(entry.job.key, entry.destination, entry.reason, entry.event, at)
