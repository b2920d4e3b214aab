"""`oarflow report`: the run's own report again, of no other CT and no other contours."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pydicom
import pytest

from oarflow.commands import main
from tests.app.workbench import write_ct

SITE = ("--set", "rois.names.Parotid_L=Left", "--set", "rois.colours.Parotid_R=[1, 2, 3]")

Capture = pytest.CaptureFixture[str]


def run(*words: object) -> int:
    return main(list(map(str, words)))


@pytest.fixture(scope="module")
def written(ct: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a report and a site's own names."""
    out = tmp_path_factory.mktemp("run") / "out"
    assert run("segment", ct, "-o", out, "-m", models, "--report", "--quiet", *SITE) == 0
    return out


def test_the_same_report_again(
    written: Path, ct: Path, models: Path, tmp_path: Path, capsys: Capture
) -> None:
    archive, made = tmp_path / "ct.zip", tmp_path / "again.html"
    with zipfile.ZipFile(archive, "w") as file:
        for path in ct.iterdir():
            file.write(path, path.name)
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    for number, source in enumerate((ct, archive)):
        made = tmp_path / f"{number}.html"
        assert run("report", written, "--ct", source, "-m", models, "-o", made) == 0
        assert capsys.readouterr().out == f"report: {made}\n"
        assert made.read_bytes() == (written / "report.html").read_bytes()
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before


def test_pdf_beside_the_run(written: Path, ct: Path, models: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(written, copy)
    assert run("report", copy, "--ct", ct, "-m", models, "--pdf") == 0
    assert (copy / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_nothing_is_replaced(written: Path, ct: Path, models: Path, capsys: Capture) -> None:
    assert run("report", written, "--ct", ct, "-m", models) == 2
    assert capsys.readouterr().err.startswith("oarflow: OUTPUT_IN_USE: ")


def test_a_refused_run_needs_no_ct(models: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    out = tmp_path / "out"
    assert run("segment", tmp_path / "in", "-o", out, "-m", models, "--quiet") == 3
    assert run("report", out, "-m", models) == 0
    assert "NO_FILES" in (out / "report.html").read_text()


def one_voxel_changed(ct: Path, folder: Path) -> Path:
    """A copy of a CT with another value in one voxel."""
    shutil.copytree(ct, folder)
    path = sorted(folder.iterdir())[12]
    dataset = pydicom.dcmread(path)
    values = dataset.pixel_array.copy()
    values[48, 48] += 1
    dataset.PixelData = values.tobytes()
    dataset.save_as(path)
    return folder


@pytest.mark.parametrize(
    "why", ["no ct", "other voxels", "other study", "edited", "lost", "no run"]
)
def test_what_is_refused(
    why: str, written: Path, ct: Path, models: Path, tmp_path: Path, capsys: Capture
) -> None:
    out, source, code = tmp_path / "out", [ct], "NO_RESULT"
    shutil.copytree(written, out)
    (out / "report.html").unlink()
    if why == "no ct":
        source, code = [], "USAGE"
    elif why == "other voxels":
        source, code = [one_voxel_changed(ct, tmp_path / "other")], "WRONG_CT"
    elif why == "other study":
        tags = {"StudyInstanceUID": "2.25.1"}
        source, code = [write_ct(tmp_path / "other", tags=tags)], "WRONG_CT"
    elif why == "edited":
        with (out / "rtstruct.dcm").open("ab") as file:
            file.write(b"\0\0")
    elif why == "lost":
        (out / "rtstruct.dcm").unlink()
    else:
        (out / "result.json").write_text("{}")
    flags = ["--ct", *source] if source else []
    assert run("report", out, "-m", models, *flags) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"oarflow: {code}: ")
    assert said.count("\n") == 1
    assert not (out / "report.html").exists()
