"""Blinded comparisons: the page tells nothing, the key everything."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from oarflow.commands import main
from oarflow.evaluation.review.blinded import (
    ContourSource,
    preferences,
    read_key,
    unblinded,
    write_blinded,
)
from oarflow.evaluation.review.scores import Review, ReviewedOrgan
from oarflow.intake import read_volume
from oarflow.organs import load_catalogue
from oarflow.report.page import COMPARISON_WARNING
from oarflow.rtstruct.model import Contour, Roi, StructureSet
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.writer import write_rtstruct
from tests.phantoms import make_series, write_series

WHEN = datetime(2026, 1, 2, tzinfo=UTC)
ORGANS = ("Parotid_L", "Larynx", "Brainstem", "SpinalCord", "Esophagus", "Parotid_R")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CT, and two structure sets that differ in their makers' words and in the radius."""
    top = tmp_path_factory.mktemp("blinded")
    write_series(top / "ct", make_series(tags={"PatientName": "SECRET^PATIENT"}))
    volume = read_volume(top / "ct").volume
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for maker, radius in (("machine", 10.0), ("doctor", 14.0)):
        rois = []
        for number, organ in enumerate(ORGANS, start=1):
            contours = []
            for k in range(4, 10):
                z = np.full_like(angle, volume.grid.positions_lps[k, 2])
                points = np.stack((radius * np.cos(angle), radius * np.sin(angle), z), axis=1)
                contours.append(Contour(points, volume.source.sop_instance_uids[k]))
            rois.append(Roi(number, organ, tuple(contours), description=f"by {maker}"))
        structures = StructureSet(f"by {maker}", tuple(rois), None, frozenset())
        write_rtstruct(
            top / f"{maker}.dcm",
            structures,
            volume.source,
            volume.grid,
            provenance=Provenance("0" * 64, "cpu"),
            when=WHEN,
        )
    return top


def sources(folder: Path) -> tuple[ContourSource, ContourSource]:
    return ContourSource("machine", folder / "machine.dcm"), ContourSource(
        "doctor", folder / "doctor.dcm"
    )


def test_the_page_tells_nothing(folder: Path, tmp_path: Path) -> None:
    key = write_blinded(folder / "ct", sources(folder), tmp_path, load_catalogue(), "1")
    page = (tmp_path / "blinded.html").read_text(encoding="utf-8")
    for word in ("machine", "doctor", "SECRET"):
        assert word not in page
    assert COMPARISON_WARNING in page
    assert key.comparison in page
    assert read_key(tmp_path / "key.json") == key


def test_the_key_is_right(folder: Path, tmp_path: Path) -> None:
    """The larger circle is the doctor's, whatever its number."""
    key = write_blinded(folder / "ct", sources(folder), tmp_path, load_catalogue(), "1")
    page = (tmp_path / "blinded.html").read_text(encoding="utf-8")
    data = page.split('id="viewer-data">')[1].split("</script>")[0]
    for roi in json.loads(data)["rois"]:
        steps = np.array(next(iter(roi["rings"].values()))[0]).reshape(-1, 2)
        width = np.ptp(np.cumsum(steps, axis=0)[:, 0])
        others = [source for name, source in key.organs.items() if name == roi["name"]]
        assert others == ["doctor" if width * 4 / 20 > 24 else "machine"]
    assert len(key.organs) == 2 * len(ORGANS)
    assert set(key.organs.values()) == {"machine", "doctor"}


def test_the_order_is_drawn_for_every_organ(folder: Path, tmp_path: Path) -> None:
    orders = set()
    for seed in "abcdefgh":
        key = write_blinded(folder / "ct", sources(folder), tmp_path / seed, load_catalogue(), seed)
        orders.add(tuple(key.organs[f"{organ} 1"] for organ in ORGANS))
    assert len(orders) > 4
    again = write_blinded(folder / "ct", sources(folder), tmp_path / "x", load_catalogue(), "h")
    assert again == key


def reviewed(comparison: str | None, **scores: int | None) -> Review:
    organs = tuple(
        ReviewedOrgan(name=name.replace("_no_", " "), status="blinded", score=score)
        for name, score in scores.items()
    )
    return Review.model_validate(
        {
            "schema": "oarflow-review",
            "schema_version": "1.0",
            "rtstruct": None,
            "comparison": comparison,
            "program_version": "0",
            "reviewer": "AB",
            "saved": "2026",
            "organs": organs,
        }
    )


def test_scores_go_to_their_sources(folder: Path, tmp_path: Path) -> None:
    key = write_blinded(folder / "ct", sources(folder), tmp_path, load_catalogue(), "1")
    one = {key.organs["Larynx 1"]: 3, key.organs["Larynx 2"]: 1}
    (told,) = unblinded([reviewed(key.comparison, Larynx_no_1=3, Larynx_no_2=1)], [key])
    assert {organ.network: organ.score for organ in told.organs} == one
    assert {organ.name for organ in told.organs} == {"Larynx"}
    better = "1 | 0 | 0" if one["doctor"] == 3 else "0 | 0 | 1"
    assert f"| Larynx | doctor | machine | 1 | {better} | 1.000 |" in preferences([told])


def test_a_review_without_its_key_is_not_summed(folder: Path) -> None:
    with pytest.raises(ValueError, match="no key"):
        unblinded([reviewed("beef", Larynx_no_1=3)], [])
    plain = reviewed(None, Larynx=2)
    assert unblinded([plain], []) == (plain,)


def test_the_sign_test_by_hand(folder: Path) -> None:
    """Six of six: two-sided p is 2 / 2**6."""
    pair = (
        ReviewedOrgan(name="Larynx", status="blinded", model="A", score=3),
        ReviewedOrgan(name="Larynx", status="blinded", model="B", score=2),
    )
    review = reviewed("c", Larynx=3).model_copy(update={"organs": pair})
    assert "| Larynx | A | B | 6 | 6 | 0 | 0 | 0.031 |" in preferences([review] * 6)


def test_the_commands(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    names = [str(folder / name) for name in ("ct", "machine.dcm", "doctor.dcm")]
    out = tmp_path / "out"
    assert main(["evaluate", "blind", *names, "--labels", "net", "hand", "--output", str(out)]) == 0
    assert main(["evaluate", "blind", *names, "--labels", "net", "net", "--output", str(out)]) == 2
    key = read_key(out / "key.json")
    review = reviewed(key.comparison, Larynx_no_1=2, Larynx_no_2=2)
    path = tmp_path / "review.json"
    path.write_text(review.model_dump_json(by_alias=True))
    assert main(["evaluate", "review", str(path), "--key", str(out / "key.json")]) == 0
    assert "| Larynx | hand | 1 | 2.00 |" in caplog.text
    assert "| Larynx | hand | net | 1 | 0 | 1 | 0 | 1.000 |" in caplog.text
    assert main(["evaluate", "review", str(path)]) == 3


def test_sources_need_different_names(folder: Path, tmp_path: Path) -> None:
    machine, doctor = sources(folder)
    with pytest.raises(ValueError, match="different names"):
        write_blinded(
            folder / "ct",
            (machine, replace(doctor, label="machine")),
            tmp_path,
            load_catalogue(),
            "1",
        )
