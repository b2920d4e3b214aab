"""A volume by formula, circles drawn on it by hand, and a result that goes with them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from oarflow.errors import Code, Finding, Refusal
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.geometry import Grid
from oarflow.result import (
    ModelPart,
    NetworkPart,
    OrganPart,
    OutputPart,
    ResultDocument,
    Run,
    SourcePart,
    input_part,
    refusal_part,
)
from oarflow.rtstruct.model import Contour, Roi, StructureSet
from oarflow.structures import Status
from oarflow.volume import Source, Volume

RTSTRUCT_UID = "2.25.1234567890123456789"
NASTY = '</script><script>alert(1)</script><img src=x onerror="alert(2)">&\'"'
"""Text as nobody should send it."""

ORIGIN_LPS = (-60.0, -50.0, 100.0)
PIXEL_MM = 2.0
STEP_MM = 4.0
COLOURS = {"Parotid_L": (255, 0, 0), "Larynx": (0, 0, 200)}
CENTRES_LPS = {"Parotid_L": (30.0, 0.0), "Larynx": (0.0, -20.0)}
RADIUS_MM = 10.0
FIRST, LAST = 5, 14
"""Slices between which both are drawn, both included."""


def grid(shape: tuple[int, int, int], pixel_mm: float = PIXEL_MM) -> Grid:
    """Axial slices STEP_MM apart."""
    positions = np.asarray(ORIGIN_LPS) + np.arange(shape[0])[:, None] * (0, 0, STEP_MM)
    return Grid(
        positions, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), (pixel_mm, pixel_mm), shape
    )


def volume(shape: tuple[int, int, int] = (24, 50, 60)) -> Volume:
    """A cylinder of 40 HU in air, with a rod of 90 HU where Parotid_L lies."""
    depth, rows, columns = shape
    y = ORIGIN_LPS[1] + np.arange(rows)[:, None] * PIXEL_MM
    x = ORIGIN_LPS[0] + np.arange(columns) * PIXEL_MM
    plane = np.where(np.hypot(x, y) < 45, 40.0, -1000.0)
    plane[np.hypot(x - 30, y) < RADIUS_MM] = 90.0
    hu = np.repeat(plane[None].astype(np.float32), depth, axis=0)
    uids = tuple(f"1.2.3.4.{k + 1}" for k in range(depth))
    identity = Dataset()
    identity.PatientName = "SECRET^PATIENT"
    identity.PatientID = "SECRETID"
    source = Source("1.2.1", "1.2.2", "1.2.4", "1.2.840.10008.5.1.4.1.1.2", uids, identity, "ab")
    return Volume(hu, grid(shape), source)


def circle(centre: tuple[float, float], z: float, radius: float = RADIUS_MM) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack(
        (
            centre[0] + radius * np.cos(angle),
            centre[1] + radius * np.sin(angle),
            np.full_like(angle, z),
        ),
        axis=1,
    )


def structures(found: Volume) -> StructureSet:
    """Parotid_L as a cylinder, Larynx as a ring: a hole of half the radius in it."""
    rois = []
    for number, (organ, centre) in enumerate(CENTRES_LPS.items(), start=1):
        contours = []
        for k in range(FIRST, LAST + 1):
            z = float(found.grid.positions_lps[k, 2])
            uid = found.source.sop_instance_uids[k]
            contours.append(Contour(circle(centre, z), uid))
            if organ == "Larynx":
                contours.append(Contour(circle(centre, z, RADIUS_MM / 2), uid))
        rois.append(Roi(number, f"AI_{organ}", tuple(contours), organ, COLOURS[organ]))
    return StructureSet("OARflow", tuple(rois), "1.2.4", frozenset(found.source.sop_instance_uids))


def flag(partner: str = "Parotid_R") -> Flag:
    """A flag that names an organ, or whatever stands in its place."""
    return Flag.of(
        FlagCode.PAIR_UNEQUAL, ratio=2.1, partner=partner, bound="at most", limit_ratio=1.5
    )


SOURCE = SourcePart(origin="Somewhere <b>else</b>", licence="CC BY-NC-SA 4.0", commercial="no")
"""Of the segmenter; the localizer's is not recorded."""

CHILD = Flag.of(FlagCode.PATIENT_UNDER_18, age_years=12, limit_years=18)


def result(found: Volume, *, partner: str = "Parotid_R") -> ResultDocument:
    """One organ of each kind. partner: text of a flag."""
    model = ModelPart(name="oarflow/test", version="1.0.0", sha256="c" * 64)
    return ResultDocument(
        run=Run(
            started="2026-01-02T03:04:05+00:00",
            seconds=1,
            stages={},
            device="cpu",
            peak_memory_mb=1,
            networks=(
                NetworkPart(
                    name="oarflow/where", version="2.0.0", sha256="b" * 64, role="localizer"
                ),
                NetworkPart(**model.model_dump(), role="segmenter", source=SOURCE),
            ),
        ),
        exit_status=0,
        input=input_part(found),
        organs=(
            OrganPart(
                name="Parotid_L",
                status=Status.SEGMENTED,
                volume_cc=12.6,
                slices=10,
                seconds=1,
                model=model,
            ),
            OrganPart(
                name="Brainstem",
                status=Status.ABSENT,
                volume_cc=0,
                slices=0,
                seconds=1,
                model=model,
            ),
            OrganPart(
                name="Larynx",
                status=Status.SUSPICIOUS,
                flags=(flag(partner),),
                volume_cc=9.4,
                slices=10,
                seconds=1,
                model=model,
            ),
        ),
        outputs=(
            OutputPart(
                path="rtstruct.dcm", kind="RTSTRUCT", sop_instance_uid=RTSTRUCT_UID, sha256="d" * 64
            ),
        ),
    )


def learned_from_rules(found: ResultDocument, organ: str) -> ResultDocument:
    """The same result, the organ's network having learned from derived labels."""
    parts = []
    for part in found.organs:
        if part.name == organ and part.model is not None:
            model = part.model.model_copy(update={"derived_labels": True})
            parts.append(part.model_copy(update={"model": model}))
        else:
            parts.append(part)
    return found.model_copy(update={"organs": tuple(parts)})


def refused() -> ResultDocument:
    """A study without a single slice of a CT."""
    refusal = Refusal(Finding(Code.NOT_CT, f"3 files of MR {NASTY}"))
    return ResultDocument(
        run=Run(
            started="2026-01-02T03:04:05+00:00",
            seconds=1,
            stages={},
            device="cpu",
            peak_memory_mb=1,
        ),
        exit_status=3,
        refusal=refusal_part(refusal),
    )


def text_of(path: Path) -> list[str]:
    """Text by page, as another program reads it."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    done = subprocess.run(
        ["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True
    )
    return done.stdout.split("\f")[:-1]
