"""Reviews saved from report.html, summed up: the score of 0 to 3 by organ, network and reviewer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

ACCEPTABLE = 2
"""Scores from here on are clinically acceptable (TWOSTEP, table 2)."""

_Z95 = 1.959964


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ReviewedOrgan(_Part):
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


class Review(_Part):
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
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path} is no review: {where}: {first['msg']}") from error


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
    names = [f"mean of {reviewer or 'unnamed'}" for reviewer in reviewers]
    lines = [_line([*head, *names]), _line(["---"] * (len(head) + len(names)))]
    lines += [_organ_line(key, kept, reviewers) for key in keys]
    contours = len({(review.rtstruct, review.comparison) for review in kept})
    parts = [
        "# Reviews",
        f"{len(kept)} reviews of {contours} structure sets by {len(reviewers)} reviewers; "
        f"{len(reviews) - len(kept)} earlier ones of the same left out. Score: 0 severe, 1 "
        f"moderate, 2 mild defect, 3 precise; {ACCEPTABLE} and more is acceptable.",
        "\n".join(lines),
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


def wilson(part: int, whole: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson's score interval); (0, 1) for nothing."""
    if not whole:
        return 0.0, 1.0
    share, z2 = part / whole, _Z95**2
    middle = (share + z2 / (2 * whole)) / (1 + z2 / whole)
    root = math.sqrt(share * (1 - share) / whole + z2 / (4 * whole**2))
    half = _Z95 / (1 + z2 / whole) * root
    return max(0.0, middle - half), min(1.0, middle + half)


def _organ_line(key: tuple[str, str], reviews: Sequence[Review], reviewers: Sequence[str]) -> str:
    scores = _scores(key, reviews)
    if not scores:
        return _line([*key, "0", *[""] * (6 + len(reviewers))])
    good = sum(score >= ACCEPTABLE for score in scores)
    low, high = wilson(good, len(scores))
    means = [_scores(key, [r for r in reviews if r.reviewer == name]) for name in reviewers]
    return _line(
        [
            *key,
            str(len(scores)),
            f"{fmean(scores):.2f}",
            *(str(scores.count(value)) for value in range(4)),
            f"{good / len(scores):.0%} ({low:.0%} to {high:.0%})",
            *(f"{fmean(own):.2f}" if own else "" for own in means),
        ]
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


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
