"""Channels for alarms: the log and, if set, a webhook and mail."""

from __future__ import annotations

import logging
import smtplib
import ssl
from dataclasses import asdict, dataclass
from email.message import EmailMessage

import httpx

from oarflow.node.settings.delivery import AlarmSettings, Mail

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 15.0

WEBHOOK, MAIL = "webhook", "mail"
"""The channels besides the log."""


@dataclass(frozen=True)
class Alarm:
    """An alarm, without patient data.

    job: the key, as in the page's address. destination: of a dead letter. at: time of the cause.
    """

    job: str
    destination: str
    reason: str
    event: str = "dead letter"
    at: str = ""

    @property
    def subject(self) -> str:
        """The alarm in one line."""
        return f"{self.event} at {self.destination}" if self.destination else self.event


def channels(settings: AlarmSettings) -> tuple[str, ...]:
    """The channels that the settings name."""
    wanted = {WEBHOOK: settings.webhook is not None, MAIL: settings.mail is not None}
    return tuple(name for name, there in wanted.items() if there)


def log_alarm(alarm: Alarm) -> None:
    """Log an alarm."""
    logger.error("%s: job %s: %s", alarm.subject, alarm.job, alarm.reason)


def notify(
    settings: AlarmSettings, alarm: Alarm, by: tuple[str, ...] = (WEBHOOK, MAIL)
) -> tuple[str, ...]:
    """Send an alarm by these channels. Returns those that failed."""
    failed = []
    if settings.webhook is not None and WEBHOOK in by and not _post(settings.webhook, alarm):
        failed.append(WEBHOOK)
    if settings.mail is not None and MAIL in by and not _mail(settings.mail, alarm):
        failed.append(MAIL)
    for one in failed:
        logger.error("the alarm could not be sent by %s", one)
    return tuple(failed)


def _post(url: str, alarm: Alarm) -> bool:
    try:
        answer = httpx.post(url, json=asdict(alarm), timeout=TIMEOUT_SECONDS, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return answer.is_success


def _mail(mail: Mail, alarm: Alarm) -> bool:
    message = EmailMessage()
    message["Subject"] = f"OARflow: {alarm.subject}"
    message["From"], message["To"] = mail.sender, ", ".join(mail.to)
    told = {
        "job": alarm.job,
        "destination": alarm.destination,
        "reason": alarm.reason,
        "at": alarm.at,
    }
    lines = [f"{name}: {value}" for name, value in told.items() if value]
    message.set_content("\n".join([alarm.event, "", *lines, ""]))
    try:
        with log_in(mail) as server:
            server.send_message(message)
    except (OSError, ValueError, smtplib.SMTPException):
        return False
    return True


def log_in(mail: Mail, seconds: float = TIMEOUT_SECONDS) -> smtplib.SMTP:
    """A session with the server, to be closed. Raises OSError, SMTPException.

    seconds: how long the server may be silent.
    """
    server = _server(mail, seconds)
    try:
        if mail.user is not None and mail.password is not None:
            server.login(mail.user, mail.password.read_text(encoding="utf-8").strip())
    except BaseException:
        server.close()
        raise
    return server


def _server(mail: Mail, seconds: float) -> smtplib.SMTP:
    if mail.encryption == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(mail.host, mail.port, timeout=seconds, context=context)
    server = smtplib.SMTP(mail.host, mail.port, timeout=seconds)
    if mail.encryption == "starttls":
        server.starttls(context=ssl.create_default_context())
    return server
