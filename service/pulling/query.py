"""What is asked for, and what was found and taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from service.database.receiving import Origin

Take = Callable[[Origin, bytes, str, str, str], object]
"""Receiver.receive."""


class PullFailed(Exception):  # noqa: N818  (what happened)
    """The PACS cannot be asked, or does not send. In words for a person, without patient data."""


@dataclass(frozen=True)
class Query:
    """At least one of the first three. date: YYYYMMDD, or a range with a hyphen."""

    accession_number: str = ""
    date: str = ""
    study_uid: str = ""
    modalities: tuple[str, ...] = ("CT",)

    def __post_init__(self) -> None:
        if not (self.accession_number or self.date or self.study_uid):
            raise ValueError("ask for an accession number, a date or a study")
        if any(sign in self.accession_number + self.study_uid for sign in "*?\\"):
            raise ValueError("wildcards would fetch more than one asks for")


@dataclass(frozen=True)
class Found:
    """A series of the PACS. count: of its instances, if the PACS tells."""

    study_uid: str
    series_uid: str
    count: int | None = None


@dataclass
class Taken:
    """Counts of instances. refused: by the node, each with its reason in the log."""

    series: int = 0
    instances: int = 0
    refused: int = 0
    notes: list[str] = field(default_factory=list)
