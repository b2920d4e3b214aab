"""Reviews saved from report.html, summed up: the score of 0 to 3 by organ, network and reviewer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oarflow.evaluation.scoring.statistics import percent_interval
from oarflow.settings_files import explain
from oarflow.tables import markdown_table

ACCEPTABLE = 2
"""Scores from here on are clinically acceptable (TWOSTEP, table 2)."""


class _ReviewModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ReviewedOrgan(_ReviewModel):
    """score: 0 severe, 1 moderate, 2 mild defect, 3 precise; None where it was not scored."""

    name: str
    status: str
    model: str | None = None
    model_version: str | None = None
    score: Annotated[int, Field(ge=0, le=3)] | None = None
    comment: str = ""

    @property
    def network(self) -> str:
        """Name and version of the network."""
        return f"{self.model} {self.model_version or ''}".strip() if self.model else "unknown"


class Review(_ReviewModel):
    """One file.

    rtstruct: SOP Instance UID of the contours; None in a blinded comparison, which `comparison`
    names. saved: ISO 8601.
    """

    kind: Literal["oarflow-review"] = Field(alias="schema")
    schema_version: Literal["1.0"]
    rtstruct: str | None
    comparison: str | None = None
    program_version: str
    reviewer: str
    saved: str
    organs: tuple[ReviewedOrgan, ...]


def read_review(path: Path) -> Review:
    """Read a file that a report saved. Raises ValueError naming the file and what is wrong."""
    try:
        return Review.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path} is no review: {explain(error, Review)}") from error


def latest(reviews: Iterable[Review]) -> tuple[Review, ...]:
    """Of each reviewer's reviews of the same contours the one saved last."""
    kept: dict[tuple[str, str | None, str | None], Review] = {}
    for review in sorted(reviews, key=lambda review: review.saved):
        kept[review.reviewer, review.rtstruct, review.comparison] = review
    return tuple(kept.values())


def summary(reviews: Sequence[Review]) -> str:
    """Markdown: scores by organ and network, means by reviewer, and all comments."""
    kept = latest(reviews)
    reviewers = sorted({review.reviewer for review in kept})
    keys = sorted({(organ.name, organ.network) for review in kept for organ in review.organs})
    head = ["organ", "network", "n", "mean", "0", "1", "2", "3", "acceptable (95 % CI)"]
    head += [f"mean of {reviewer or 'unnamed'}" for reviewer in reviewers]
    rows = [_organ_row(key, kept, reviewers) for key in keys]
    contours = len({(review.rtstruct, review.comparison) for review in kept})
    parts = [
        "# Reviews",
        f"{len(kept)} reviews of {contours} structure sets by {len(reviewers)} reviewers; "
        f"{len(reviews) - len(kept)} earlier ones of the same left out. Score: 0 severe, 1 "
        f"moderate, 2 mild defect, 3 precise; {ACCEPTABLE} and more is acceptable.",
        markdown_table(head, rows),
    ]
    comments = [
        f"- {organ.name} ({_score(organ.score)}, {review.reviewer or 'unnamed'}): {organ.comment}"
        for review in kept
        for organ in review.organs
        if organ.comment
    ]
    if comments:
        parts += ["## Comments", "\n".join(sorted(comments))]
    return "\n\n".join(parts) + "\n"


def _organ_row(
    key: tuple[str, str], reviews: Sequence[Review], reviewers: Sequence[str]
) -> tuple[str, ...]:
    scores = _scores(key, reviews)
    if not scores:
        return (*key, "0", *[""] * (6 + len(reviewers)))
    good = sum(score >= ACCEPTABLE for score in scores)
    interval = percent_interval(good, len(scores), "wilson", 0)
    means = [_scores(key, [r for r in reviews if r.reviewer == name]) for name in reviewers]
    return (
        *key,
        str(len(scores)),
        f"{fmean(scores):.2f}",
        *(str(scores.count(value)) for value in range(4)),
        f"{good / len(scores):.0%} ({interval})",
        *(f"{fmean(own):.2f}" if own else "" for own in means),
    )


def _scores(key: tuple[str, str], reviews: Iterable[Review]) -> list[int]:
    return [
        organ.score
        for review in reviews
        for organ in review.organs
        if (organ.name, organ.network) == key and organ.score is not None
    ]


def _score(score: int | None) -> str:
    return "no score" if score is None else f"score {score}"
