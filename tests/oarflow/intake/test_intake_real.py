"""Real files: known geometry, every odd object answered, every transfer syntax decoded."""

import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from oarflow.errors import Code, Refusal
from oarflow.intake import SeriesRules, read_volume
from oarflow.intake.decode import hounsfield, read_pixels
from oarflow.intake.files import opened, parse_header
from oarflow.intake.headers import HEADER_TAGS, header_of

DATA = os.environ.get("OARFLOW_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="OARFLOW_DATA does not name the data folder")
ANY_NUMBER = SeriesRules(min_slices=1)


def data(*parts: str) -> Path:
    path = Path(DATA or "", *parts)
    if not path.exists():
        pytest.skip(f"{'/'.join(parts)} is not in OARFLOW_DATA")
    return path


def unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


def alone(path: Path, folder: Path) -> Path:
    shutil.copy(path, folder / "file.dcm")
    return folder


def codes_of(folder: Path, rules: SeriesRules = ANY_NUMBER) -> set[Code]:
    with pytest.raises(Refusal) as caught:
        read_volume(folder, rules)
    return {finding.code for finding in caught.value.findings}


def test_picker_planning_ct(tmp_path):
    intake = read_volume(unpacked(data("dicom", "hn_picker.tar.xz"), tmp_path))
    volume = intake.volume
    assert volume.hu.shape == (90, 511, 511)
    np.testing.assert_allclose(volume.grid.positions_lps[0], [1, -511, -267])
    np.testing.assert_allclose(volume.grid.positions_lps[-1], [1, -511, 0])
    np.testing.assert_allclose(np.diff(volume.grid.offsets_mm), 3.0)
    assert volume.grid.spacing_yx == (1.0, 1.0)
    assert (volume.hu.min(), volume.hu.max()) == (-1024, 3844)
    assert (volume.hu > 4095 - 1024).sum() == 29
    assert intake.account.as_json()["classes"] == {"ct_slice": 90}


def test_itk_sees_the_same_picker_volume(tmp_path):
    folder = unpacked(data("dicom", "hn_picker.tar.xz"), tmp_path)
    volume = read_volume(folder).volume
    names = [str(path) for path in folder.rglob("*") if path.is_file()]
    slices = {}
    for name in names:
        image = SimpleITK.ReadImage(name)
        slices[round(image.GetOrigin()[2], 3)] = SimpleITK.GetArrayFromImage(image)[0]
    itk = np.stack([slices[z] for z in sorted(slices)])
    np.testing.assert_array_equal(volume.hu, np.maximum(itk, -1024))


def test_few_slices_without_preamble_beside_plan_and_dose():
    folder = data("dicom", "hn_becker")
    assert Code.TOO_FEW_SLICES in codes_of(folder, SeriesRules())
    volume = read_volume(folder, ANY_NUMBER).volume
    np.testing.assert_allclose(volume.grid.positions_lps[0], [-294.395, -294.395, 294.5])
    assert volume.grid.spacing_zyx == pytest.approx((3.0, 1.15, 1.15))
    assert np.any(volume.hu != np.round(volume.hu)), "the slope of 1.001 is applied"


def test_eclipse_neck():
    volume = read_volume(data("dicom", "neck4_eclipse"), ANY_NUMBER).volume
    np.testing.assert_allclose(volume.grid.positions_lps[:, 2], [1000, 1001, 1002, 1003])


def test_phantom_of_one_value_is_refused():
    assert codes_of(data("dicom", "oncentra_phantom")) == {Code.IMPLAUSIBLE_HU}


def test_feet_first_abdomen_is_a_valid_ct(tmp_path):
    folder = unpacked(data("odd", "ffs_chest_abdomen.tar.xz"), tmp_path)
    volume = read_volume(folder).volume
    assert volume.hu.shape == (41, 512, 512)
    np.testing.assert_allclose(volume.grid.positions_lps[[0, -1], 2], [-375, -175])
    assert volume.hu.min() == -1024


@pytest.mark.parametrize("name", ["ge_head_tilt18.5.tar.xz", "philips_phantom_tilt-18.5"])
def test_tilted_gantry(tmp_path, name):
    path = data("odd", name)
    folder = unpacked(path, tmp_path) if path.is_file() else path
    assert {Code.GANTRY_TILT, Code.OBLIQUE} <= codes_of(folder)


ODD = {
    "hitachi_head_tilt-22_j2k_pixelrep_mismatch.dcm": {Code.GANTRY_TILT, Code.OBLIQUE},
    "ge_tilt5.5_disc.dcm": {Code.GANTRY_TILT, Code.OBLIQUE},
    "siemens_neck_ffs_bad_sequence_jpll.dcm": {
        Code.MISSING_FRAME_OF_REFERENCE,
        Code.INVALID_IDENTITY,
    },
    "enhanced_ct_2frames.dcm": {Code.ENHANCED_CT},
    "philips_localizer.dcm": {Code.ONLY_LOCALIZER},
    "ge_scout_lateral_16x16.dcm": {Code.ONLY_LOCALIZER},
    "philips_ref_surview_sc.dcm": {Code.ONLY_LOCALIZER},
    "philips_dose_info_rgb_sc.dcm": {Code.ONLY_LOCALIZER},
    "ge_dose_report_no_pixels.dcm": {Code.ONLY_LOCALIZER},
    "ge_3d_render_as_ct.dcm": {Code.ONLY_LOCALIZER},
    "sagittal_sc_as_ct_tilt6.2.dcm": {Code.ONLY_LOCALIZER},
    "cr_monochrome1_no_preamble.dcm": {Code.NOT_CT},
}


@pytest.mark.parametrize("name", ODD)
def test_odd_object_is_refused(tmp_path, name):
    assert codes_of(alone(data("odd", name), tmp_path)) == ODD[name]


@pytest.mark.parametrize(
    "name", ["ge_ffs_chest.dcm", "philips_cspine_jpll.dcm", "iop_flipped_rows_vr_un_j2kr.dcm"]
)
def test_single_valid_slice_has_too_few_and_is_read_where_allowed(tmp_path, name):
    folder = alone(data("odd", name), tmp_path)
    assert codes_of(folder, SeriesRules()) == {Code.TOO_FEW_SLICES}
    volume = read_volume(folder, ANY_NUMBER).volume
    np.testing.assert_allclose(volume.grid.x_direction, [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(volume.grid.y_direction, [0, 1, 0], atol=1e-9)


def test_rows_that_run_to_the_front_are_turned(tmp_path):
    folder = alone(data("odd", "iop_flipped_rows_vr_un_j2kr.dcm"), tmp_path)
    volume = read_volume(folder, ANY_NUMBER).volume
    # first row of the file lies at y = 0 and rows run to the front: the last is at -511 pixels
    np.testing.assert_allclose(volume.grid.positions_lps[0], [0, -511 * 0.859375, -121])
    itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / "file.dcm")))[0]
    np.testing.assert_array_equal(volume.hu[0], np.maximum(itk, -1024)[::-1])


def read_one(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with opened(path) as file:
        parsed = parse_header(file, HEADER_TAGS)
    header = header_of(parsed.dataset, parsed.transfer_syntax_uid)
    stored = read_pixels(path, header).stored
    return stored, hounsfield(stored, header)


@pytest.mark.parametrize(
    ("ending", "differences"),
    [
        ("JPLL", (0, 0)),
        ("JLSL", (0, 0)),
        ("JLSN", (4, 4)),
        ("J2KR", (0, 0)),
        ("J2KI", (352, 402)),
        ("RLE", (0, 0)),
    ],
)
def test_transfer_syntax_decodes_as_its_reference(ending, differences):
    for picture, difference in zip(("CT1", "CT2"), differences, strict=True):
        reference, _ = read_one(data("wg04", f"{picture}_UNC.dcm"))
        decoded, _ = read_one(data("wg04", f"{picture}_{ending}.dcm"))
        assert np.abs(decoded.astype(int) - reference.astype(int)).max() == difference


@pytest.mark.parametrize(
    "name",
    [
        "CT1_RLE_fragments.dcm",
        "derived_CT1_deflated.dcm",
        "derived_CT1_bigendian.dcm",
        "derived_CT1_implicit.dcm",
    ],
)
def test_other_packings_of_the_reference(name):
    np.testing.assert_array_equal(
        read_one(data("wg04", name))[0], read_one(data("wg04", "CT1_UNC.dcm"))[0]
    )


@pytest.mark.parametrize("name", ["CT1_J2KI.dcm", "CT1_JLSN.dcm", "CT2_J2KI.dcm", "CT2_JLSN.dcm"])
def test_lossy_slices_are_noted(tmp_path, name):
    notes = read_volume(alone(data("wg04", name), tmp_path), ANY_NUMBER).notes
    assert any("with loss" in note for note in notes)


def test_private_encoding_is_refused_by_name(tmp_path):
    folder = alone(data("wg04", "CT1_IVR_bigendian_undef_len.dcm"), tmp_path)
    assert codes_of(folder) == {Code.UNSUPPORTED_TRANSFER_SYNTAX}


def test_deflated_other_object(tmp_path):
    assert codes_of(alone(data("wg04", "OT_deflated.dcm"), tmp_path)) == {Code.NOT_CT}


def test_padding_of_the_wg04_slice_becomes_air():
    stored, hu = read_one(data("wg04", "CT1_UNC.dcm"))
    assert stored.min() == -2000
    assert hu.min() == -1024
