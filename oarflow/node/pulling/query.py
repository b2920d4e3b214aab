"""Queries to a PACS, and their results."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from pydicom.uid import RE_VALID_UID

from oarflow.node.database.receiving import Origin

StoreInstance = Callable[[Origin, bytes, str, str, str], object]
"""Stores an instance: Receiver.receive."""


class PullFailed(Exception):
    """The PACS cannot be asked or does not send. The message has no patient data."""


_FORMAT = "write a day as YYYYMMDD, a range as YYYYMMDD-YYYYMMDD, YYYYMMDD- or -YYYYMMDD"
MAX_ACCESSION_NUMBER, MAX_UID = 16, 64
"""Longest values of the VRs SH and UI (PS3.5, 6.2)."""


@dataclass(frozen=True)
class Query:
    """A query for studies. It needs at least one of accession number, date and Study Instance UID.

    A study must match all that are given. date: YYYYMMDD, or a range with a hyphen, which may have
    one open end. Raises ValueError.
    """

    accession_number: str = ""
    date: str = ""
    study_uid: str = ""
    modalities: tuple[str, ...] = ("CT",)

    def __post_init__(self) -> None:
        for name in ("accession_number", "date", "study_uid"):
            object.__setattr__(self, name, getattr(self, name).strip())
        if not (self.accession_number or self.date or self.study_uid):
            raise ValueError("give --accession, --date or --study")
        if any(sign in self.accession_number + self.study_uid for sign in "*?\\"):
            raise ValueError("wildcards (* and ?) are not allowed")
        if len(self.accession_number) > MAX_ACCESSION_NUMBER:
            raise ValueError(f"an accession number has at most {MAX_ACCESSION_NUMBER} characters")
        if not self.accession_number.isprintable():
            raise ValueError("the accession number holds a control character")
        if self.study_uid and not _is_uid(self.study_uid):
            raise ValueError(
                "a Study Instance UID has at most 64 digits and dots, as in 1.2.840.113619"
            )
        if self.date:
            _check_date(self.date)

    @property
    def names_one(self) -> bool:
        """Whether only the Study Instance UID is given, so that no search for studies is needed."""
        return bool(self.study_uid) and not (self.accession_number or self.date)


def _is_uid(text: str) -> bool:
    return len(text) <= MAX_UID and re.fullmatch(RE_VALID_UID, text) is not None


def _check_date(text: str) -> None:
    """Check a date or range (PS3.4, C.2.2.2.5). Raises ValueError."""
    first, hyphen, last = text.partition("-")
    days = [_day(text, part) for part in (first, last) if part]
    if not days:
        raise ValueError(f"the date {text!r} has no day: {_FORMAT}")
    if hyphen and len(days) > 1 and days[0] > days[1]:
        raise ValueError(f"the range {text} ends before it begins: write {last}-{first}")


def _day(text: str, part: str) -> date:
    if not re.fullmatch(r"[0-9]{8}", part):
        raise ValueError(f"the date {text!r} is not valid: {_FORMAT}")
    try:
        return date(int(part[:4]), int(part[4:6]), int(part[6:]))
    except ValueError:
        raise ValueError(f"the calendar has no day {part} (year, month, day)") from None


@dataclass(frozen=True)
class FoundSeries:
    """A series of the PACS. count: number of instances, if the PACS states it."""

    study_uid: str
    series_uid: str
    count: int | None = None


@dataclass
class PullCounts:
    """Counts of instances. refused: by the node; the log has each reason."""

    instances: int = 0
    refused: int = 0
