"""Contours of two devices beside each other."""

from __future__ import annotations

import numpy as np

from oarflow.api import ContouredOrgan
from oarflow.evaluation.benchmarks.devices import ComparedCt, OrganPair, page, pairs
from oarflow.result import Run
from oarflow.structures import Status


def organ(name: str, status: Status, voxels: int) -> ContouredOrgan:
    mask = np.zeros((10, 10, 10), dtype=bool)
    mask.ravel()[:voxels] = True
    return ContouredOrgan(name, status, (), float(voxels), mask)


def results(*organs: ContouredOrgan) -> dict[str, ContouredOrgan]:
    return {one.name: one for one in organs}


def test_a_contour_or_a_status_that_differs_is_found() -> None:
    here = results(
        organ("Brain", Status.SEGMENTED, 900),
        organ("Larynx", Status.SEGMENTED, 900),
        organ("Trachea", Status.ABSENT, 0),
        organ("Esophagus", Status.SEGMENTED, 500),
    )
    there = results(
        organ("Brain", Status.SEGMENTED, 898),
        organ("Larynx", Status.SEGMENTED, 890),
        organ("Trachea", Status.ABSENT, 0),
        organ("Esophagus", Status.SUSPICIOUS, 500),
    )
    found = {one.organ: one for one in pairs(here, there)}
    assert found["Brain"].dice == 2 * 898 / 1798
    assert [name for name, one in found.items() if one.equal] == ["Brain", "Trachea"]
    assert found["Trachea"].dice is None


def test_the_page_names_what_differs_and_every_run() -> None:
    def run(seconds: float, gpu: float | None) -> Run:
        return Run(
            started="2026-01-01T00:00:00Z",
            seconds=seconds,
            stages={"intake": 1.0, "segment": seconds - 1},
            device="cpu",
            peak_memory_mb=1000.0,
            peak_gpu_memory_mb=gpu,
        )

    runs = {"cpu": (run(9, None), run(6, None)), "cuda": (run(4, 500.0), run(2, 500.0))}
    organs = (OrganPair("Larynx", ("segmented", "segmented"), 0.99),)
    text = page([ComparedCt("ct", runs, organs)], "oarflow evaluate benchmark-devices ct")
    assert "These do not: ct: Larynx." in text
    assert "| seconds | cpu, cold | cpu, warm | cuda, cold | cuda, warm |" in text
    assert "| segment | 8.0 | 5.0 | 3.0 | 1.0 |" in text
    assert "| GPU memory, MB | - | - | 500 | 500 |" in text
    assert "| Larynx | segmented | segmented | 0.9900 |" in text
