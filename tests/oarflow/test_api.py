"""`oarflow.contour`: results, refusals, images, and the same files as the application's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread

import oarflow
from oarflow.errors import ConfigurationError, ExitStatus, Refusal
from oarflow.geometry import Grid
from oarflow.run.progress import Silent
from oarflow.sitk import sitk_image
from oarflow.structures import Segmentation, Status
from tests.app.workbench import (
    BALL_CC,
    CENTRES_LPS,
    REPOSITORY,
    Broken,
    app,
    balls,
    clean_environment,
    nothing,
    write_ct,
    write_models,
)
from tests.phantoms import make_series, write_series

EPOCH = "1700000000"
SAMPLE = REPOSITORY / "samples" / "openkbp_validation"


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ct(tmp_path_factory.mktemp("api") / "ct")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("api") / "models")


@pytest.fixture(scope="module")
def result(ct: Path, models: Path) -> oarflow.Result:
    return oarflow.contour(ct, models=models, settings={"outputs": {"seg": True}})


def test_each_organ_has_status_flags_volume_and_mask(result: oarflow.Result) -> None:
    assert list(result) == ["Parotid_L", "Parotid_R"]
    assert result.exit_status is ExitStatus.WRITTEN
    for name, centre in CENTRES_LPS.items():
        organ = result[name]
        assert (organ.name, organ.mask.shape, organ.mask.dtype) == (name, (24, 96, 96), bool)
        assert organ.status.written
        assert organ.volume_cc == pytest.approx(BALL_CC, rel=0.1)
        voxel_cc = float(np.prod(result.grid.spacing_zyx)) / 1000
        assert organ.mask.sum() * voxel_cc == pytest.approx(organ.volume_cc, abs=1e-3)
        points = result.grid.index_to_patient(np.argwhere(organ.mask))
        np.testing.assert_allclose(points.mean(axis=0), centre, atol=0.5)
        inside = result.hu[organ.mask]
        assert np.median(inside) == pytest.approx(100, abs=5)
    flags = {part.name: part.flags for part in result.document.organs}
    assert {name: organ.flags for name, organ in result.items()} == flags


def test_some_organs_by_alias_and_one_alone(ct: Path, models: Path) -> None:
    assert list(oarflow.contour(ct, organs=["left parotid"], models=models)) == ["Parotid_L"]
    assert list(oarflow.contour(ct, organs="Parotid_R", models=models)) == ["Parotid_R"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"organs": ["Parotis_X"]}, "ORGAN_UNKNOWN"),
        ({"organs": []}, "ORGAN_UNKNOWN"),
        ({"settings": {"organ": "all"}}, "SETTINGS"),
        ({"settings": Path("nowhere.yaml")}, "NO_CONFIG"),
        ({"models": Path("nowhere")}, "NO_MODELS"),
    ],
)
def test_what_is_configured_wrongly_is_named(
    ct: Path, models: Path, given: dict[str, object], code: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        oarflow.contour(ct, **{"models": models, **given})
    assert caught.value.code == code


def test_settings_come_from_a_file_too(ct: Path, models: Path, tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text("organs: [Parotid_R]\nstrict: true\n")
    result = oarflow.contour(ct, models=models, settings=tmp_path / "few.yaml")
    assert list(result) == ["Parotid_R"]
    assert result.document.settings["strict"] is True


def test_refused_input_raises_its_code(models: Path, tmp_path: Path) -> None:
    with pytest.raises(oarflow.Refusal) as empty:
        oarflow.contour(tmp_path, models=models)
    assert empty.value.code == "NO_FILES"
    with pytest.raises(ConfigurationError) as missing:
        oarflow.contour(tmp_path / "nowhere", models=models)
    assert missing.value.code == "NO_INPUT"
    gap = write_ct(tmp_path / "gap")
    sorted(gap.iterdir())[11].unlink()
    with pytest.raises(oarflow.Refusal) as lost:
        oarflow.contour(gap, models=models)
    assert lost.value.code == "MISSING_SLICE"
    assert "gap" in lost.value.detail
    blank = write_ct(tmp_path / "blank", anatomy=nothing)
    with pytest.raises(Refusal):
        oarflow.contour(blank, models=models)


def test_an_organ_that_is_not_written_has_an_empty_mask(ct: Path, tmp_path: Path) -> None:
    result = oarflow.contour(ct, models=write_models(tmp_path / "models", Parotid_R=Broken()))
    lost = result["Parotid_R"]
    assert (lost.status, lost.volume_cc, lost.mask.any()) == (Status.FAILED, 0.0, np.False_)
    assert lost.flags
    assert result["Parotid_L"].mask.any()
    assert not SimpleITK.GetArrayFromImage(result.to_sitk("Parotid_R")).any()


def test_nothing_stays_in_the_temporary_folder(
    ct: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = oarflow.contour(ct, models=models, organs=["Parotid_L"])
    with pytest.raises(Refusal):
        oarflow.contour(tmp_path, models=models)
    assert list(tmp_path.iterdir()) == []
    assert result.save(tmp_path / "out")[0].is_file()


class Watcher(Silent):
    def __init__(self) -> None:
        self.told: list[str] = []

    def stage_started(self, stage: str) -> None:
        self.told.append(stage)

    def organ_finished(self, segmentation: Segmentation, number: int, total: int) -> None:
        self.told.append(f"{segmentation.organ} {number}/{total}")


def test_progress_is_told(ct: Path, models: Path) -> None:
    watcher = Watcher()
    oarflow.contour(ct, models=models, progress=watcher)
    assert [t for t in watcher.told if "/" in t] == ["Parotid_L 1/2", "Parotid_R 2/2"]
    assert watcher.told[0] == "intake"
    assert watcher.told[-1] == "write"


# Images


@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS", "FFP"])
@pytest.mark.parametrize("order", ["ascending", "shuffled"])
def test_images_lie_where_the_raw_headers_say(
    models: Path, tmp_path: Path, position: str, order: str
) -> None:
    """Every voxel's HU at the physical point that SimpleITK names, from pydicom's raw headers."""
    datasets = make_series(
        slices=24,
        rows=96,
        columns=90,
        spacing_yx=(2.0, 2.1),
        anatomy=balls,
        patient_position=position,
        centre_lps=(3.0, -2.0, 1.0),
    )
    write_series(tmp_path / "ct", datasets, order=order)
    result = oarflow.contour(tmp_path / "ct", models=models)
    image = result.to_sitk("Parotid_L")
    seen = 0
    for dataset in datasets[::5]:
        cosines = np.array(dataset.ImageOrientationPatient, dtype=float)
        row_mm, column_mm = map(float, dataset.PixelSpacing)
        stored = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
        for row, column in ((0, 0), (5, 80), (95, 3), (40, 62), (47, 27), (60, 70)):
            point = (
                np.array(dataset.ImagePositionPatient, dtype=float)
                + column * column_mm * cosines[:3]
                + row * row_mm * cosines[3:]
            )
            x, y, z = image.TransformPhysicalPointToIndex([float(v) for v in point])
            back = image.TransformIndexToPhysicalPoint((x, y, z))
            np.testing.assert_allclose(back, point, atol=1e-4)
            hu = float(stored[row, column]) * float(dataset.RescaleSlope)
            assert result.hu[z, y, x] == hu + float(dataset.RescaleIntercept)
            assert image[x, y, z] == result["Parotid_L"].mask[z, y, x]
            seen += 1
    assert seen == 30
    voxels = np.argwhere(SimpleITK.GetArrayFromImage(image))
    points = [image.TransformIndexToPhysicalPoint([int(i) for i in v[::-1]]) for v in voxels]
    np.testing.assert_allclose(np.mean(points, axis=0), CENTRES_LPS["Parotid_L"], atol=0.5)


def grid(offsets_mm: list[float]) -> Grid:
    positions = np.array([(1.0, 2.0, z) for z in offsets_mm])
    axes = np.eye(3)
    return Grid(positions, axes[0], axes[1], (1.0, 1.0), (len(offsets_mm), 4, 5))


def test_uneven_slices_make_no_image() -> None:
    mask = np.zeros((4, 4, 5), dtype=bool)
    with pytest.raises(ValueError, match=r"2\.00 to 3\.00 mm apart"):
        sitk_image(mask, grid([0.0, 2.0, 4.0, 7.0]))
    drifting = [2.0 * k + (0.009 * max(0, k - 120)) for k in range(200)]
    with pytest.raises(ValueError, match="apart"):
        sitk_image(np.zeros((200, 4, 5), dtype=bool), grid(drifting))
    rounded = [round(0.625 * k, 1) for k in range(40)]
    image = sitk_image(np.zeros((40, 4, 5), dtype=bool), grid(rounded))
    for k, wanted in enumerate(rounded):
        assert image.TransformIndexToPhysicalPoint((0, 0, k))[2] == pytest.approx(wanted, abs=0.1)
    assert sitk_image(np.ones((1, 4, 5), dtype=bool), grid([3.0])).GetSize() == (5, 4, 1)


# Files


def without_measures(path: Path) -> dict[str, object]:
    """result.json without times, memory and their stages' seconds."""
    document = json.loads(path.read_text())
    run = document["run"]
    run["stages"] = sorted(run["stages"])
    for key in ("seconds", "peak_memory_mb", "peak_gpu_memory_mb"):
        run[key] = None
    for organ in document["organs"]:
        organ["seconds"] = None
    return document


def assert_same_files(ours: Path, theirs: Path, names: set[str]) -> None:
    assert {p.name for p in ours.iterdir()} == {p.name for p in theirs.iterdir()} == names
    for name in names - {"result.json"}:
        assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name
    assert without_measures(ours / "result.json") == without_measures(theirs / "result.json")


def test_the_application_writes_the_same_files(
    ct: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "app.yaml"
    config.write_text("outputs: {seg: true, report_html: true}\nthreads: 1\n")
    environment = clean_environment(SOURCE_DATE_EPOCH=EPOCH)
    out = tmp_path / "app"
    ran = app("-i", ct, "-o", out, "-m", models, "-c", config, environment=environment)
    assert ran.returncode == 0, ran.stderr
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    result = oarflow.contour(ct, models=models, settings=config)
    saved = result.save(tmp_path / "api")
    assert [path.name for path in saved][-1] == "result.json"
    # The page shows the times of the run: its bytes differ as result.json's do.
    for folder in (out, tmp_path / "api"):
        pages = list(folder.glob("*.html"))
        assert len(pages) == 1
        pages[0].unlink()
    for folder in (out, tmp_path / "api"):
        document = json.loads((folder / "result.json").read_text())
        document["outputs"] = [o for o in document["outputs"] if o["kind"] != "REPORT_HTML"]
        (folder / "result.json").write_text(json.dumps(document))
    assert_same_files(tmp_path / "api", out, {"rtstruct.dcm", "seg.dcm", "result.json"})


def test_save_delivers_as_the_application_does(
    result: oarflow.Result, ct: Path, tmp_path: Path
) -> None:
    first = result.save(tmp_path / "deep" / "one")
    assert [path.name for path in first] == ["rtstruct.dcm", "seg.dcm", "result.json"]
    assert dcmread(first[0]).Modality == "RTSTRUCT"
    second = result.save(tmp_path / "two")
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
    for folder, code in (
        (tmp_path / "two", "OUTPUT_IN_USE"),
        (ct, "OUTPUT_OVERLAPS_INPUT"),
        (ct / "below", "OUTPUT_OVERLAPS_INPUT"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            result.save(folder)
        assert caught.value.code == code
    assert not (ct / "below").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError) as caught:
        result.save(tmp_path / "file")
    assert caught.value.code == "OUTPUT_NOT_WRITABLE"


# The package


def python(script: str, *arguments: object, **variables: str) -> str:
    told = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return told.stdout


def test_importing_oarflow_costs_nothing() -> None:
    script = (
        "import sys, oarflow, oarflow.rtstruct; assert oarflow.__version__;"
        "print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    assert not {"numpy", "torch", "pydicom", "monai", "SimpleITK", "scipy", "pydantic"} & set(
        json.loads(python(script).replace("'", '"'))
    )


def test_contouring_imports_neither_monai_deploy_nor_simpleitk(ct: Path, models: Path) -> None:
    script = (
        "import sys, oarflow; result = oarflow.contour(sys.argv[1], models=sys.argv[2]);"
        "assert result['Parotid_L'].mask.any();"
        "print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    modules = set(json.loads(python(script, ct, models).replace("'", '"')))
    assert not {"monai", "holoscan", "app", "operators", "SimpleITK"} & modules


def test_every_public_name_is_there_and_no_other() -> None:
    for name in oarflow.__all__:
        assert getattr(oarflow, name) is not None
    assert set(oarflow.__all__) <= set(dir(oarflow))
    with pytest.raises(AttributeError, match="contours"):
        _ = oarflow.contours  # type: ignore[attr-defined]


def test_three_lines_contour_the_sample_as_the_application_does(tmp_path: Path) -> None:
    lines = "import oarflow\nresult = oarflow.contour('CT_FOLDER')\nresult.save('OUTPUT_FOLDER')\n"
    shutil.copytree(SAMPLE / "ct", tmp_path / "CT_FOLDER")
    environment = clean_environment(SOURCE_DATE_EPOCH=EPOCH)
    subprocess.run(
        [sys.executable, "-c", lines], cwd=tmp_path, env=environment, check=True, timeout=600
    )
    out = tmp_path / "app"
    ran = app("-i", tmp_path / "CT_FOLDER", "-o", out, environment=environment)
    assert ran.returncode == 0, ran.stderr
    assert_same_files(tmp_path / "OUTPUT_FOLDER", out, {"rtstruct.dcm", "result.json"})
