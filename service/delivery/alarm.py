"""Tells persons that something was given up: the log, and by setting a webhook and mail."""

from __future__ import annotations

import logging
import smtplib
import ssl
from dataclasses import asdict, dataclass
from email.message import EmailMessage

import httpx

from service.delivery.settings import AlarmSettings, Mail

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True)
class Alarm:
    """Nothing of the patient. job: the key, as in the page's address."""

    job: str
    destination: str
    reason: str
    event: str = "dead letter"


def ring(settings: AlarmSettings, alarm: Alarm) -> tuple[str, ...]:
    """Tell everybody who is to be told. Returns the means that failed: an alarm is no step."""
    logger.error("%s: job %s to %s: %s", alarm.event, alarm.job, alarm.destination, alarm.reason)
    failed = []
    if settings.webhook is not None and not _post(settings.webhook, alarm):
        failed.append("webhook")
    if settings.mail is not None and not _mail(settings.mail, alarm):
        failed.append("mail")
    for means in failed:
        logger.error("the alarm could not be given by %s", means)
    return tuple(failed)


def _post(url: str, alarm: Alarm) -> bool:
    try:
        answer = httpx.post(url, json=asdict(alarm), timeout=TIMEOUT_SECONDS, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.is_success


def _mail(mail: Mail, alarm: Alarm) -> bool:
    message = EmailMessage()
    message["Subject"] = f"OARflow: {alarm.event} at {alarm.destination}"
    message["From"], message["To"] = mail.sender, ", ".join(mail.to)
    message.set_content(
        f"{alarm.event}\n\njob: {alarm.job}\ndestination: {alarm.destination}\n"
        f"reason: {alarm.reason}\n"
    )
    try:
        with log_in(mail) as server:
            server.send_message(message)
    except (OSError, smtplib.SMTPException):
        return False
    return True


def log_in(mail: Mail) -> smtplib.SMTP:
    """A session with the server, to be closed. Raises OSError, SMTPException."""
    server = _server(mail)
    try:
        if mail.user is not None and mail.password is not None:
            server.login(mail.user, mail.password.read_text(encoding="utf-8").strip())
    except BaseException:
        server.close()
        raise
    return server


def _server(mail: Mail) -> smtplib.SMTP:
    if mail.encryption == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(mail.host, mail.port, timeout=TIMEOUT_SECONDS, context=context)
    server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_SECONDS)
    if mail.encryption == "starttls":
        server.starttls(context=ssl.create_default_context())
    return server
