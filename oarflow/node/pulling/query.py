"""What is asked for, and what was found and taken."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from pydicom.uid import RE_VALID_UID

from oarflow.node.database.receiving import Origin

StoreInstance = Callable[[Origin, bytes, str, str, str], object]
"""Receiver.receive."""


class PullFailed(Exception):
    """The PACS cannot be asked, or does not send. In words for a person, without patient data."""


_FORMAT = "write a day as YYYYMMDD, a range as YYYYMMDD-YYYYMMDD, YYYYMMDD- or -YYYYMMDD"
MAX_ACCESSION_NUMBER, MAX_UID = 16, 64
"""Characters of values of type SH and UI (PS3.5 6.2)."""


@dataclass(frozen=True)
class Query:
    """At least one of the first three; a study must fit all that are given.

    date: YYYYMMDD, or a range with a hyphen, of which one end may be open. Raises ValueError.
    """

    accession_number: str = ""
    date: str = ""
    study_uid: str = ""
    modalities: tuple[str, ...] = ("CT",)

    def __post_init__(self) -> None:
        for name in ("accession_number", "date", "study_uid"):
            object.__setattr__(self, name, getattr(self, name).strip())
        if not (self.accession_number or self.date or self.study_uid):
            raise ValueError("ask for an accession number, a date or a study")
        if any(sign in self.accession_number + self.study_uid for sign in "*?\\"):
            raise ValueError("wildcards would fetch more than one asks for")
        if len(self.accession_number) > MAX_ACCESSION_NUMBER:
            raise ValueError(f"an accession number has at most {MAX_ACCESSION_NUMBER} characters")
        if not self.accession_number.isprintable():
            raise ValueError("the accession number holds a control character")
        if self.study_uid and not _is_uid(self.study_uid):
            raise ValueError("a study's UID has digits and dots, at most 64, as in 1.2.840.113619")
        if self.date:
            _check_date(self.date)

    @property
    def names_one(self) -> bool:
        """Whether the study is given by its UID alone: there is nothing to look for."""
        return bool(self.study_uid) and not (self.accession_number or self.date)


def _is_uid(text: str) -> bool:
    return len(text) <= MAX_UID and re.fullmatch(RE_VALID_UID, text) is not None


def _check_date(text: str) -> None:
    """Of a query (PS3.4 C.2.2.2.5). Raises ValueError."""
    first, hyphen, last = text.partition("-")
    days = [_day(text, part) for part in (first, last) if part]
    if not days:
        raise ValueError(f"the date {text!r} names no day: {_FORMAT}")
    if hyphen and len(days) > 1 and days[0] > days[1]:
        raise ValueError(f"the range {text} ends before it begins: write {last}-{first}")


def _day(text: str, part: str) -> date:
    if not re.fullmatch(r"[0-9]{8}", part):
        raise ValueError(f"the date {text!r} is not understood: {_FORMAT}")
    try:
        return date(int(part[:4]), int(part[4:6]), int(part[6:]))
    except ValueError:
        raise ValueError(f"there is no day {part} (year, month, day) in the calendar") from None


@dataclass(frozen=True)
class FoundSeries:
    """A series of the PACS. count: of its instances, if the PACS tells."""

    study_uid: str
    series_uid: str
    count: int | None = None


@dataclass
class PullCounts:
    """Counts of instances. refused: by the node, each with its reason in the log."""

    instances: int = 0
    refused: int = 0
