"""Our files in other people's readers, and other people's files in ours and plastimatch.

plastimatch is looked for on the path; the Python readers in .venvs, made by
tests/peers/environments.sh.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from scipy import ndimage

from oarflow.geometry import Grid
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.raster import rasterise
from oarflow.rtstruct.reader import read_structure_set
from oarflow.writing.seg import write_seg
from tests.oarflow.rtstruct.cases import (
    WHEN,
    Case,
    ball,
    box,
    joined,
    make_case,
    segmentations_of,
    shell,
    specs_of,
)

ROOT = Path(__file__).parents[3]
SHAPES = {
    "Parotid_L": ball((25.3, -8.1, 2.2), 15.0, soft_mm=6.0),
    "Mandible": shell((2.2, 25.4, 0.3), 20.3, 8.4),
    "Brain": joined(ball((-30.2, -20.3, 0.1), 12.0), ball((-28.1, 30.4, 0.1), 9.0)),
    "Cochlea_L": ball((40.3, 40.2, 5.1), 4.1, soft_mm=2.0),
}
"""Soft, with a hole, in two parts, and under one cubic centimetre."""

LEAST_DICE = 0.98

RTSTRUCT_OF = {
    "hn_becker": "RS.dcm",
    "neck4_eclipse": "RS_Body_SpinalCord.dcm",
    "oncentra_phantom": "RS.dcm",
}

needs_plastimatch = pytest.mark.skipif(
    shutil.which("plastimatch") is None, reason="plastimatch is not installed"
)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(
        tmp_path_factory.mktemp("peers"),
        SHAPES,
        rows=140,
        columns=160,
        spacing_yx=(1.0, 1.0),
        slices=28,
        step_mm=2.0,
    )


def run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr[-2000:]


def by_plastimatch(rtstruct: Path, ct: Path, folder: Path, *options: str) -> dict[str, np.ndarray]:
    """Masks (z, y, x) by file name; the CT's order of slices, ascending."""
    where = ["--input", str(rtstruct), "--referenced-ct", str(ct), "--output-prefix", str(folder)]
    run(["plastimatch", "convert", *where, "--prefix-format", "nrrd", *options])
    return {
        path.stem: SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))) > 0
        for path in folder.glob("*.nrrd")
    }


def by_library(library: str, case: Case, folder: Path) -> dict[str, np.ndarray]:
    python = ROOT / ".venvs" / library / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no {python.relative_to(ROOT)}: run tests/peers/environments.sh")
    script = ROOT / "tests" / "peers" / "read_with.py"
    ct, output = case.path.parent / "ct", folder / "masks.npz"
    run([str(python), str(script), library, str(ct), str(case.path), str(output)])
    with np.load(output) as masks:
        return {name.lower(): masks[name] for name in masks.files}


def wanted(case: Case, name: str) -> np.ndarray:
    mask = np.zeros(case.volume.grid.shape, dtype=bool)
    mask[case.fields[name].box] = case.fields[name].mask
    return mask


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def furthest(a: np.ndarray, b: np.ndarray, spacing: tuple[float, float, float]) -> float:
    """Hausdorff distance of two masks' voxel centres, in mm."""
    to_a = ndimage.distance_transform_edt(~a, sampling=spacing)
    to_b = ndimage.distance_transform_edt(~b, sampling=spacing)
    return max(float(to_b[a].max()), float(to_a[b].max()))


def assert_alike(case: Case, masks: dict[str, np.ndarray]) -> None:
    spacing = case.volume.grid.spacing_zyx
    for name in SHAPES:
        truth = wanted(case, name)
        found = masks[name.lower()]
        volume_cc = truth.sum() * np.prod(spacing) / 1000
        if volume_cc > 1.0:
            assert dice(truth, found) >= LEAST_DICE, name
        else:
            assert furthest(truth, found, spacing) <= np.linalg.norm(spacing), name


@needs_plastimatch
def test_plastimatch_agrees(case: Case, tmp_path: Path) -> None:
    masks = by_plastimatch(case.path, case.path.parent / "ct", tmp_path / "masks")
    assert_alike(case, {name.lower(): mask for name, mask in masks.items()})


def test_dcmrtstruct2nii_agrees(case: Case, tmp_path: Path) -> None:
    assert_alike(case, by_library("dcmrtstruct2nii", case, tmp_path))


@pytest.mark.parametrize("library", ["rt-utils", "dicomrttool"])
def test_painters_find_every_organ_on_every_slice(library: str, case: Case, tmp_path: Path) -> None:
    masks = by_library(library, case, tmp_path)
    for name in SHAPES:
        truth, found = wanted(case, name), masks[name.lower()]
        slices = np.flatnonzero(truth.any(axis=(1, 2)))
        assert np.array_equal(np.flatnonzero(found.any(axis=(1, 2))), slices), name


@pytest.mark.parametrize("library", ["rt-utils", "dicomrttool"])
def test_the_painters_excess_by_hand(library: str, tmp_path: Path) -> None:
    """A box of 20 x 20 pixel centres. Its contour runs half a pixel outside the outermost centres,
    at whole numbers plus a half; rounded to pixels and painted with the border, that is at most one
    more row and column on either side: between 20 x 20 and 22 x 22."""
    shape = {"Brain": box((-10.0, -10.0, -7.0), (10.0, 10.0, 7.0))}
    square = make_case(tmp_path, shape, rows=60, columns=60, spacing_yx=(1.0, 1.0), step_mm=2.0)
    truth = wanted(square, "Brain")
    assert set(truth.sum(axis=(1, 2))) == {0, 400}
    found = by_library(library, square, tmp_path)["brain"]
    painted = found.sum(axis=(1, 2))[truth.any(axis=(1, 2))]
    assert (found | ~truth).all()
    assert (painted > 400).all()
    assert (painted <= 22 * 22).all()


@needs_plastimatch
@pytest.mark.parametrize(("nested", "options"), [("union", ()), ("xor", ("--xor-contours",))])
@pytest.mark.parametrize("study", RTSTRUCT_OF)
def test_vendors_contours_are_read_as_plastimatch_reads_them(
    study: str, nested: str, options: tuple[str, ...], shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "dicom" / study
    rtstruct = folder / RTSTRUCT_OF[study]
    ct = tmp_path / "ct"
    ct.mkdir()
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        if dataset.get("Modality") == "CT":
            with_meta(path, ct / path.name)
    theirs = by_plastimatch(rtstruct, ct, tmp_path / "masks", *options)
    grid = grid_of(ct)
    compared = 0
    for roi, mask in rasterise(read_structure_set(rtstruct), grid, nested=nested):
        their = theirs[roi.name.replace(" ", "_")]
        our = mask.full(grid.shape)
        assert our.shape == their.shape
        assert dice(our, their) >= 0.995, roi.name
        # Vertices on pixel centres fall to either side: on the boundary, and nowhere else.
        away = ndimage.distance_transform_edt(~rim(our), sampling=(1e6, 1, 1))
        assert not (our ^ their).any() or float(away[our ^ their].max()) <= 1.0
        compared += 1
    assert compared == len(theirs)


def rim(mask: np.ndarray) -> np.ndarray:
    cross = ndimage.generate_binary_structure(2, 1)[None]
    return mask & ~ndimage.binary_erosion(mask, cross)


def with_meta(source: Path, target: Path) -> None:
    """Copy an image, as a Part 10 file where it is a bare data set."""
    if source.read_bytes()[128:132] == b"DICM":
        shutil.copy(source, target)
        return
    dataset = pydicom.dcmread(source, force=True)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(target, enforce_file_format=True)


def grid_of(folder: Path) -> Grid:
    """The stack's grid from its headers (too few slices and 0 HU are no CT for the intake)."""
    slices = [pydicom.dcmread(path, stop_before_pixels=True) for path in folder.iterdir()]
    slices.sort(key=lambda d: float(d.ImagePositionPatient[2]))
    first = slices[0]
    cosines = np.array(first.ImageOrientationPatient, dtype=float)
    return Grid(
        np.array([d.ImagePositionPatient for d in slices], dtype=float),
        cosines[:3],
        cosines[3:],
        (float(first.PixelSpacing[0]), float(first.PixelSpacing[1])),
        (len(slices), int(first.Rows), int(first.Columns)),
    )


ORTHANC = """
ip link set lo up
cd "$1"
Orthanc orthanc.json > orthanc.log 2>&1 &
server=$!
trap 'kill $server; wait $server || true' EXIT
for i in $(seq 100); do curl -sf 127.0.0.1:18042/system > system.json && break; sleep 0.2; done
curl -sf -X POST 127.0.0.1:18042/instances --data-binary @sent.dcm > stored.json
curl -sf 127.0.0.1:18042/tools/find \\
    -d '{"Level":"Instance","Query":{"Modality":"RTSTRUCT"}}' > found.json
id=$(sed -E 's/[^0-9a-f-]//g' found.json | tr -d '\\n')
curl -sf "127.0.0.1:18042/instances/$id/file" -o back.dcm
dcmsend -aet OARFLOW -aec ORTHTEST 127.0.0.1 14242 again.dcm
findscu -S -aet OARFLOW -aec ORTHTEST 127.0.0.1 14242 -k QueryRetrieveLevel=SERIES \\
    -k Modality=RTSTRUCT -k SeriesInstanceUID > series.txt 2>&1
"""

SETTINGS = """{ "Name": "peer", "StorageDirectory": "db", "IndexDirectory": "index",
  "HttpPort": 18042, "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
  "DicomAet": "ORTHTEST", "DicomPort": 14242, "DicomCheckCalledAet": false,
  "DicomAlwaysAllowStore": true, "OverwriteInstances": false, "StorageCompression": false,
  "DicomModalities": { "oarflow": ["OARFLOW", "127.0.0.1", 11112] } }"""


def may_unshare() -> bool:
    tools = ("Orthanc", "unshare", "curl", "dcmsend", "findscu", "ip")
    return (
        all(map(shutil.which, tools))
        and os.geteuid() == 0
        and (
            subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode
            == 0
        )
    )


@pytest.mark.skipif(not may_unshare(), reason="Orthanc, dcmtk or network namespaces are missing")
def test_orthanc_stores_finds_and_gives_back_unchanged(case: Case, tmp_path: Path) -> None:
    (tmp_path / "orthanc.json").write_text(SETTINGS)
    shutil.copy(case.path, tmp_path / "sent.dcm")
    again = pydicom.dcmread(case.path)
    again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = "2.25.1234567"
    again.save_as(tmp_path / "again.dcm")
    run(["unshare", "-n", "bash", "-eu", "-c", ORTHANC, "orthanc", str(tmp_path)])
    assert '"Success"' in (tmp_path / "stored.json").read_text()
    assert (tmp_path / "back.dcm").read_bytes() == case.path.read_bytes()
    assert again.SeriesInstanceUID in (tmp_path / "series.txt").read_text()


@pytest.mark.skipif(not may_unshare(), reason="Orthanc, dcmtk or network namespaces are missing")
def test_orthanc_keeps_a_seg_as_it_is(case: Case, tmp_path: Path) -> None:
    (tmp_path / "orthanc.json").write_text(SETTINGS)
    write_seg(
        tmp_path / "sent.dcm",
        segmentations_of(case.fields),
        case.volume.source,
        case.volume.grid,
        specs_of(case.fields),
        provenance=Provenance("0" * 64, "cpu"),
        when=WHEN,
    )
    again = pydicom.dcmread(tmp_path / "sent.dcm")
    again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = "2.25.1234567"
    again.save_as(tmp_path / "again.dcm")
    script = ORTHANC.replace("RTSTRUCT", "SEG")
    run(["unshare", "-n", "bash", "-eu", "-c", script, "orthanc", str(tmp_path)])
    assert '"Success"' in (tmp_path / "stored.json").read_text()
    assert (tmp_path / "back.dcm").read_bytes() == (tmp_path / "sent.dcm").read_bytes()
    assert again.SeriesInstanceUID in (tmp_path / "series.txt").read_text()


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
def test_dciodvfy_finds_no_error(case: Case) -> None:
    result = subprocess.run(
        ["dciodvfy", "-new", str(case.path)], capture_output=True, text=True, check=False
    )
    assert "RTStructureSet" in result.stderr
    assert [line for line in result.stderr.splitlines() if line.startswith("Error")] == []
