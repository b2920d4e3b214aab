"""A linter for RTSTRUCT files of any vendor: each defect, its meaning, and what to do."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from oarflow.rtstruct.check.headers import SliceHeader
from oarflow.rtstruct.errors import ReadError
from oarflow.rtstruct.lint.context import Context, drawn_contours, images_below, images_meant
from oarflow.rtstruct.lint.contour_checks import contour_findings
from oarflow.rtstruct.lint.ct_checks import ct_findings
from oarflow.rtstruct.lint.encoding_checks import encoding_findings, identity_findings
from oarflow.rtstruct.lint.profile_checks import profile_findings
from oarflow.rtstruct.lint.region_checks import reference_findings, region_findings
from oarflow.rtstruct.lint.rules import RULES, LintFinding, Rule, Severity
from oarflow.rtstruct.profile import Profile
from oarflow.rtstruct.reader import open_document, structure_set

__all__ = ["RULES", "LintFinding", "Rule", "Severity", "images_below", "lint"]

CHECKS: tuple[Callable[[Context], Iterator[LintFinding]], ...] = (
    encoding_findings,
    identity_findings,
    region_findings,
    reference_findings,
    contour_findings,
    ct_findings,
    profile_findings,
)


def lint(
    source: Path | str | bytes,
    *,
    ct: Mapping[str, SliceHeader] | None = None,
    profile: Profile | None = None,
) -> tuple[LintFinding, ...]:
    """All findings on a file, errors first. Never raises for the content of a file.

    ct: headers of the images to which it should refer (`images_below`); of a whole study, only
    those that the file references are used. A file that cannot be read has the single finding
    UNREADABLE.
    """
    try:
        document = open_document(source)
    except ReadError as error:
        return (LintFinding("UNREADABLE", 1, str(error)),)
    found: list[LintFinding] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            contours = drawn_contours(document.dataset)
        except ReadError as error:
            contours = ()
            found.append(LintFinding("CONTOURS_REFUSED", 1, error.detail))
        try:
            images = images_meant(document.dataset, contours, ct or {})
            context = Context(document, contours, images, profile)
            for check in CHECKS:
                found += check(context)
            if not found or found[0].rule != "CONTOURS_REFUSED":
                structure_set(document)
        except ReadError as error:
            found.append(LintFinding("CONTOURS_REFUSED", 1, error.detail))
    order = list(Severity)
    return tuple(sorted(found, key=lambda f: (order.index(f.severity), list(RULES).index(f.rule))))
