"""A small made-up case, and an application that answers from memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from oarflow.datasets.cases import Case
from oarflow.evaluation.application import FinishedRun
from oarflow.result import Input, OrganPart, ResultDocument
from oarflow.result import Run as RunPart
from oarflow.structures import Status

SHAPE = (14, 32, 40)
SPACING = (3.0, 2.0, 2.0)


def made_up(case_id: str = "pt_1") -> Case:
    """A block of water in air, with boxes for organs: parotids, cord, and a larynx too small.

    The water is denser by 1 HU a slice: no two slices are alike.
    """
    ct = np.full(SHAPE, -1000, dtype=np.int16)
    body = np.zeros(SHAPE, dtype=bool)
    body[2:13, 4:28, 4:36] = True
    ct[body] = 20
    ct += np.where(body, np.arange(SHAPE[0])[:, None, None], 0).astype(np.int16)
    masks = {}
    boxes = {
        "SpinalCord": np.s_[3:12, 20:23, 19:22],
        "Parotid_R": np.s_[6:11, 10:18, 7:13],
        "Parotid_L": np.s_[6:11, 10:18, 27:33],
        "Larynx": np.s_[5:6, 8:9, 20:21],
    }
    for organ, box in boxes.items():
        masks[organ] = np.zeros(SHAPE, dtype=bool)
        masks[organ][box] = True
    return Case(case_id, ct, SPACING, masks, body, (-39.0, -31.0, 5.0))


def result(organs: dict[str, Status] | None = None, **changes: Any) -> ResultDocument:
    """A result.json of a run of ten seconds."""
    parts = tuple(
        OrganPart(name=organ, status=status, volume_cc=1.0, slices=1, seconds=1.0)
        for organ, status in (organs or {}).items()
    )
    run = RunPart(
        started="2026-01-01T00:00:00+00:00",
        seconds=10.0,
        stages={"intake": 1.0, "localize": 2.0},
        device="cpu",
        peak_memory_mb=1024.0,
    )
    seen = Input(
        study_instance_uid="1.2",
        series_instance_uid="1.3",
        frame_of_reference_uid="1.4",
        pixel_sha256="0" * 64,
        slices=14,
        rows=32,
        columns=40,
        spacing_mm=SPACING,
        slice_gaps_mm=(3.0, 3.0),
        origin_mm=(0.0, 0.0, 0.0),
        orientation=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    )
    return ResultDocument(run=run, exit_status=0, input=seen, organs=parts, **changes)


def recorded_run(ct: Path, out: Path, models: Path) -> FinishedRun:
    return FinishedRun(result({"Parotid_L": Status.SEGMENTED}), None)
