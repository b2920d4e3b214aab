"""report.html: one file that a browser opens offline, with a strict Content Security Policy."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from oarflow.report.content import PURPOSE, SCORES, WARNING, Report
from oarflow.report.scene import CODE_KNOTS, HU_KNOTS, Codes, Outline, ReportScene
from oarflow.report.strips import WINDOWS, jpeg, make_strips
from oarflow.shown import finalize, shown
from oarflow.types import FloatArray
from oarflow.version import __version__

COMPARISON_WARNING = "May be AI-generated, unapproved"
"""The warning of a blinded comparison, where a person may have drawn one of two contours."""

PAGE_BYTES = 15_000_000
"""Greatest size of a page in bytes. 200 slices of 512 x 512 stay below it."""

SLICES_BYTES = 3_000_000
"""Greatest size of all slices in bytes, before base64 adds a third. With the contours and strips of
40 organs, a page with 186 slices of 512 x 512 then has less than 5 MB."""

_QUALITIES = (92, 85, 75, 65, 50, 35)
_SAMPLED = 16
"""One in this many slices is compressed to find a JPEG quality that fits."""

_RING_SCALE = 20
"""Contours are written in units of a pixel divided by this."""


def write_report(path: Path, report: Report) -> None:
    """Write the page at path.

    The page holds the facts of result.json, the CT's slices and the contours: no patient name, ID
    or birth date. Its Content Security Policy allows only its own scripts, style and pictures.
    """
    path.write_text(render(report), encoding="utf-8")


def render(report: Report) -> str:
    """The page's text."""
    return _render(
        "report.html.j2",
        title="OARflow report",
        scene=report.scene,
        review=_review(report),
        report=report,
        result=report.result,
    )


def write_comparison(path: Path, scene: ReportScene, comparison: str) -> None:
    """Write a page for a blinded review of contours from two sources.

    scene: its outlines have the names that the review shows. comparison: identifies the comparison
    in the saved reviews.
    """
    strips = make_strips(scene)
    organs = [
        {"name": strip.outline.name, "status": "blinded", "model": None, "model_version": None}
        for strip in strips
    ]
    review = _review_head() | {"rtstruct": None, "comparison": comparison, "organs": organs}
    page = _render(
        "comparison.html.j2",
        title="Blinded review",
        scene=scene,
        review=review,
        warning=COMPARISON_WARNING,
        strips=strips,
    )
    path.write_text(page, encoding="utf-8")


def _render(
    template: str,
    *,
    title: str,
    scene: ReportScene | None,
    review: dict[str, Any],
    warning: str = WARNING,
    **values: Any,
) -> str:
    environment = Environment(
        loader=PackageLoader("oarflow.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"jpeg": _as_data_url, "path": _svg_path}
    style = _template_text("report.css")
    scripts = [_template_text("viewer.js"), _template_text("review.js")] if scene else []
    return environment.get_template(template).render(
        title=title,
        warning=warning,
        purpose=PURPOSE,
        scores=SCORES,
        windows=WINDOWS,
        style=Markup(style),
        scripts=[Markup(script) for script in scripts],
        policy=_policy(style, scripts),
        viewer=_embedded(_viewer(scene, warning)) if scene else "",
        review=_embedded(review),
        reviewed=[organ["name"] for organ in review["organs"]],
        **values,
    )


def _template_text(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def _policy(style: str, scripts: Sequence[str]) -> str:
    """Allow only pictures within the page, its own style and its own scripts, named by hash."""
    allowed = " ".join(map(_source_hash, scripts)) or "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src {_source_hash(style)}; "
        f"script-src {allowed}; base-uri 'none'; form-action 'none'"
    )


def _source_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _embedded(value: Any) -> Markup:
    """JSON for a script element, escaped so that it cannot end the element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return Markup(re.sub("[<>&]", lambda sign: f"\\u{ord(sign[0]):04x}", text))


def _viewer(scene: ReportScene, warning: str) -> dict[str, Any]:
    return {
        "warning": warning,
        "shape": list(scene.codes.shape),
        "pixelMm": list(scene.pixel_mm),
        "offsetsMm": np.round(scene.offsets_mm, 3).tolist(),
        "positionsMm": np.round(scene.positions_mm, 2).tolist(),
        "faces": [list(pair) for pair in scene.faces],
        "codeKnots": CODE_KNOTS,
        "huKnots": HU_KNOTS,
        "ringScale": _RING_SCALE,
        "rois": [_roi(outline) for outline in scene.outlines],
        "slices": [base64.b64encode(image).decode("ascii") for image in _slices(scene.codes)],
    }


def _roi(outline: Outline) -> dict[str, Any]:
    return {
        "number": outline.number,
        "name": shown(outline.name),
        "colour": list(outline.colour),
        "rings": {k: [_steps(ring) for ring in rings] for k, rings in outline.rings.items()},
    }


def _steps(ring: FloatArray) -> list[int]:
    """A ring as x, y of its first point and the steps to the next points, in parts of a pixel."""
    whole = np.rint(ring * _RING_SCALE).astype(np.int64)
    return [
        int(v) for v in np.diff(whole, axis=0, prepend=np.zeros((1, 2), dtype=np.int64)).ravel()
    ]


def _slices(codes: Codes) -> list[bytes]:
    """All slices as JPEG, at the best quality that keeps the page below its limit."""
    samples = codes[::_SAMPLED]
    for quality in _QUALITIES:
        size = sum(len(jpeg(plane, quality)) for plane in samples) / len(samples) * len(codes)
        if size <= SLICES_BYTES:
            break
    return [jpeg(plane, quality) for plane in codes]


def _review_head() -> dict[str, Any]:
    """The first facts of every saved review."""
    return {
        "schema": "oarflow-review",
        "schema_version": "1.0",
        "program_version": __version__,
    }


def _review(report: Report) -> dict[str, Any]:
    """The facts of a report's review. rtstruct: SOP Instance UID."""
    uids = [item.sop_instance_uid for item in report.result.outputs if item.kind == "RTSTRUCT"]
    organs = [
        {
            "name": row.part.name,
            "status": row.part.status.value,
            "model": row.part.model.name if row.part.model else None,
            "model_version": row.part.model.version if row.part.model else None,
        }
        for row in report.rows
        if row.strip
    ]
    return _review_head() | {
        "rtstruct": uids[0] if uids else None,
        "program_version": report.result.run.version,
        "organs": organs,
    }


def _as_data_url(image: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(image).decode('ascii')}"


def _svg_path(rings: Sequence[FloatArray]) -> str:
    return " ".join(f"M{' '.join(f'{x:.1f},{y:.1f}' for x, y in ring)}Z" for ring in rings)
