"""The reader on every published file, and on files bent by hand."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RTStructureSetStorage,
)

from oarflow.rtstruct.encoding import ReadingLimits
from oarflow.rtstruct.errors import ReadCode, ReadError
from oarflow.rtstruct.model import GeometricType
from oarflow.rtstruct.reader import read_structure_set

DATA = Path(os.environ.get("OARFLOW_DATA", "nowhere"))
needs_data = pytest.mark.skipif(
    not (DATA / "rtstruct").is_dir(), reason="OARFLOW_DATA names no data folder"
)

PUBLISHED = {
    "varian_aria_radonc_15.5_lung1-001.dcm": (4, 358, 134),
    "varian_aria_rtm_16.1_vmat.dcm": (3, 631, 249),
    "varian_aria_8.1_prostate_phantom.dcm": (16, 210, 92),
    "eclipse_anon_breast.dcm": (10, 441, 98),
    "monaco_example_structures.dcm": (5, 96, 228),
    "monaco_box_overlap.dcm": (2, 24, 5),
    "monaco_tiny_vmat.dcm": (2, 4, 5),
    "mim_7.0.3_dummy.dcm": (4, 12, 5),
    "mim_7.0.3_nonexistent_ref.dcm": (4, 12, 0),
    "mim_6.3.9_sts002_ct.dcm": (1, 16, 267),
    "mim_6.3.9_sts001_mr.dcm": (2, 52, 40),
    "elekta_gammaplan_10.2.1.dcm": (4, 109, 80),
    "raysearch_template.dcm": (1, 3, 94),
    "dicomrttool_template.dcm": (1, 1, 1),
    "oncentra_4.1_points.dcm": (4, 12, 5),
    "oncentra_4.0_two_roi.dcm": (2, 10, 5),
    "pydicom_points.dcm": (3, 5, 0),
    "cerr_ibsi1.dcm": (1, 26, 60),
    "opentps_modality_rtdose.dcm": (1, 41, 0),
    "rt_utils.dcm": (1, 2, 2),
    "microsoft_innereye_gateway.dcm": (5, 60, 3),
}
"""Regions, contours and images referenced, as counted with pydicom alone."""


@needs_data
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_are_read_whole(name: str) -> None:
    regions, contours, images = PUBLISHED[name]
    found = read_structure_set(DATA / "rtstruct" / name)
    assert len(found.rois) == regions
    assert sum(len(roi.contours) for roi in found.rois) == contours
    assert len(found.referenced_instance_uids) == images
    dataset = pydicom.dcmread(DATA / "rtstruct" / name, force=True)
    names = {int(i.ROINumber): str(i.ROIName) for i in dataset.StructureSetROISequence}
    assert {roi.number: roi.name for roi in found.rois} == names


@needs_data
def test_the_file_damaged_by_line_ending_conversion_is_refused_with_its_reason() -> None:
    name = "varian_aria_8.1_prostate_phantom_damaged.dcm"
    with pytest.raises(ReadError, match="line-ending conversion") as caught:
        read_structure_set(DATA / "rtstruct" / name)
    assert caught.value.code is ReadCode.DAMAGED


@needs_data
def test_points_become_point_contours_and_frames_stay_with_their_regions() -> None:
    found = read_structure_set(DATA / "rtstruct" / "oncentra_4.1_points.dcm")
    kinds = [{c.type for c in roi.contours} for roi in found.rois]
    assert kinds[2:] == [{GeometricType.POINT}, {GeometricType.POINT}]
    assert {roi.frames_of_reference for roi in found.rois} == {
        frozenset({found.frame_of_reference_uid})
    }


SQUARE = r"0\0\5\10\0\5\10\10\5\0\10\5"


def contour(data: str = SQUARE, count: int = 4, kind: str = "CLOSED_PLANAR") -> Dataset:
    item = Dataset()
    item.ContourGeometricType = kind
    item.NumberOfContourPoints = count
    item.ContourData = data.split("\\")
    image = Dataset()
    image.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    image.ReferencedSOPInstanceUID = "1.2.3.4"
    item.ContourImageSequence = [image]
    return item


def minimal() -> Dataset:
    """A file of two regions, each a square."""
    dataset = Dataset()
    dataset.SOPClassUID = RTStructureSetStorage
    dataset.SOPInstanceUID = "1.2.3"
    dataset.Modality = "RTSTRUCT"
    dataset.PatientName = "Secret^Person"
    dataset.PatientID = "SECRET-ID"
    dataset.StructureSetLabel = "label"
    definitions, drawings = [], []
    for number in (1, 2):
        definition, drawing = Dataset(), Dataset()
        definition.ROINumber = number
        definition.ROIName = f"Secret organ {number}"
        drawing.ReferencedROINumber = number
        drawing.ContourSequence = [contour()]
        definitions.append(definition)
        drawings.append(drawing)
    dataset.StructureSetROISequence = definitions
    dataset.ROIContourSequence = drawings
    return dataset


def stored(dataset: Dataset, tmp_path: Path, syntax: str = ImplicitVRLittleEndian) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    path = tmp_path / "file.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_every_transfer_syntax_gives_the_same_points(tmp_path: Path, syntax: str) -> None:
    found = read_structure_set(stored(minimal(), tmp_path, syntax))
    assert [roi.name for roi in found.rois] == ["Secret organ 1", "Secret organ 2"]
    assert found.rois[0].contours[0].points_lps.tolist() == [
        [0, 0, 5], [10, 0, 5], [10, 10, 5], [0, 10, 5]
    ]  # fmt: skip
    assert found.rois[0].contours[0].sop_instance_uid == "1.2.3.4"


def test_shuffled_sequences_are_matched_by_number(tmp_path: Path) -> None:
    dataset = minimal()
    dataset.ROIContourSequence[1].ContourSequence = [contour(r"1\1\1\2\1\1\2\2\1", 3)]
    dataset.ROIContourSequence = list(reversed(dataset.ROIContourSequence))
    found = read_structure_set(stored(dataset, tmp_path))
    assert [len(roi.contours[0].points_lps) for roi in found.rois] == [4, 3]


def test_a_closing_point_is_dropped(tmp_path: Path) -> None:
    dataset = minimal()
    dataset.ROIContourSequence[0].ContourSequence = [contour(SQUARE + r"\0\0\5", 5)]
    found = read_structure_set(stored(dataset, tmp_path))
    assert len(found.rois[0].contours[0].points_lps) == 4


def test_un_in_place_of_ds_is_read(tmp_path: Path) -> None:
    """What an archive makes of a contour over 64 KiB when it re-encodes Implicit VR."""
    points = np.random.default_rng(1).uniform(-200, 200, (4000, 3)).round(3)
    data = "\\".join(f"{v:.3f}" for v in points.ravel())
    assert len(data) > 65_534
    dataset = minimal()
    dataset.ROIContourSequence[0].ContourSequence = [contour(data, 4000)]
    path = stored(dataset, tmp_path, ExplicitVRLittleEndian)
    tag = b"\x06\x30\x50\x00"
    assert tag + b"UN" in path.read_bytes()
    found = read_structure_set(path)
    assert np.array_equal(found.rois[0].contours[0].points_lps, points)


def test_regions_without_contours_and_contours_without_images(tmp_path: Path) -> None:
    dataset = minimal()
    del dataset.ROIContourSequence[0].ContourSequence
    del dataset.ROIContourSequence[1].ContourSequence[0].ContourImageSequence
    found = read_structure_set(stored(dataset, tmp_path))
    assert found.rois[0].contours == ()
    assert found.rois[1].contours[0].sop_instance_uid is None


def doubled_number(dataset: Dataset) -> None:
    dataset.StructureSetROISequence[1].ROINumber = 1


def orphan(dataset: Dataset) -> None:
    dataset.ROIContourSequence[1].ReferencedROINumber = 7


def no_number(dataset: Dataset) -> None:
    del dataset.StructureSetROISequence[1].ROINumber


def unknown_type(dataset: Dataset) -> None:
    dataset.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "SPLINE"


def wrong_count(dataset: Dataset) -> None:
    dataset.ROIContourSequence[0].ContourSequence[0].NumberOfContourPoints = 5


def half_a_point(dataset: Dataset) -> None:
    dataset.ROIContourSequence[0].ContourSequence[0].ContourData = ["1", "2", "3", "4"]


def no_contours(dataset: Dataset) -> None:
    del dataset.ROIContourSequence


def far_away(dataset: Dataset) -> None:
    dataset.ROIContourSequence[0].ContourSequence = [contour(r"1e30\0\0\1\0\0\1\1\0", 3)]


def other_class(dataset: Dataset) -> None:
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.5"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (doubled_number, ReadCode.INCONSISTENT),
        (orphan, ReadCode.INCONSISTENT),
        (no_number, ReadCode.INCONSISTENT),
        (unknown_type, ReadCode.INCONSISTENT),
        (wrong_count, ReadCode.DAMAGED),
        (half_a_point, ReadCode.DAMAGED),
        (no_contours, ReadCode.DAMAGED),
        (far_away, ReadCode.DAMAGED),
        (other_class, ReadCode.NOT_RTSTRUCT),
    ],
)
def test_what_would_lose_or_misplace_a_contour_is_refused(
    tmp_path: Path, change: Callable[[Dataset], None], code: ReadCode
) -> None:
    dataset = minimal()
    change(dataset)
    with pytest.raises(ReadError) as caught:
        read_structure_set(stored(dataset, tmp_path))
    assert caught.value.code is code
    assert "ecret" not in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_a_wrong_count_may_be_allowed(tmp_path: Path) -> None:
    dataset = minimal()
    wrong_count(dataset)
    found = read_structure_set(stored(dataset, tmp_path), allow_point_count_mismatch=True)
    assert len(found.rois[0].contours[0].points_lps) == 4


@pytest.mark.parametrize("text", ["nan", "inf", "abc", "1,5"])
def test_text_that_is_no_number_is_refused(tmp_path: Path, text: str) -> None:
    data = stored(minimal(), tmp_path).read_bytes()
    bent = data.replace(b"10\\10\\5", text.encode().ljust(2)[:3] + b"\\1\\5"[: 7 - 3], 1)
    assert len(bent) == len(data)
    assert bent != data
    with pytest.raises(ReadError) as caught:
        read_structure_set(bent)
    assert caught.value.code is ReadCode.DAMAGED


def test_every_truncation_is_refused_or_loses_nothing(tmp_path: Path) -> None:
    """Cut anywhere but at the end of the last element, no contour may be lost unnoticed."""
    data = stored(minimal(), tmp_path).read_bytes()
    for end in range(0, len(data) - 1):
        with pytest.raises(ReadError):
            read_structure_set(data[:end])


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_odd_lengths_are_refused(tmp_path: Path, syntax: str) -> None:
    data = stored(minimal(), tmp_path, syntax).read_bytes()
    header = b"\x10\x00\x20\x00" + (b"LO" if syntax == ExplicitVRLittleEndian else b"")
    at = data.index(header) + len(header)
    size = "<H" if syntax == ExplicitVRLittleEndian else "<I"
    length = struct.unpack_from(size, data, at)[0]
    bent = data[:at] + struct.pack(size, length - 1) + data[at + struct.calcsize(size) :]
    with pytest.raises(ReadError) as caught:
        read_structure_set(bent)
    assert caught.value.code is ReadCode.DAMAGED


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_bent_bytes_never_do_anything_but_refuse(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    original = stored(minimal(), tmp_path_factory.mktemp("fuzz")).read_bytes()
    bent = bytearray(original)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(bent) - 1))
        bent[at] = data.draw(st.integers(0, 255))
    refused = ""
    try:
        found = read_structure_set(bytes(bent))
    except ReadError as error:
        refused = str(error)
    else:
        assert all(np.isfinite(c.points_lps).all() for roi in found.rois for c in roi.contours)
    assert "secret" not in refused.lower()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_noise_is_no_dicom(noise: bytes) -> None:
    with pytest.raises(ReadError):
        read_structure_set(noise)


def test_limits_hold(tmp_path: Path) -> None:
    path = stored(minimal(), tmp_path)
    for limits in (
        ReadingLimits(file_bytes=100),
        ReadingLimits(points=7),
        ReadingLimits(contours=1),
        ReadingLimits(rois=1),
        ReadingLimits(elements=10),
        ReadingLimits(depth=1),
    ):
        with pytest.raises(ReadError) as caught:
            read_structure_set(path, limits=limits)
        assert caught.value.code is ReadCode.TOO_LARGE


def test_a_deflated_bomb_is_stopped(tmp_path: Path) -> None:
    head = stored(minimal(), tmp_path, DeflatedExplicitVRLittleEndian).read_bytes()
    meta_end = 132 + 12 + struct.unpack_from("<I", head, 140)[0]
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = squeeze.compress(b"\x08\x00\x05\x00CS\x02\x00AB" + bytes(64 * 2**20)) + squeeze.flush()
    with pytest.raises(ReadError) as caught:
        read_structure_set(head[:meta_end] + bomb, limits=ReadingLimits(file_bytes=2**20))
    assert caught.value.code is ReadCode.TOO_LARGE


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.dcm", Path("nul\0byte")):
        with pytest.raises(ReadError) as caught:
            read_structure_set(path)
        assert caught.value.code is ReadCode.NOT_A_FILE


def test_the_package_needs_neither_torch_nor_monai() -> None:
    code = (
        "import sys, oarflow.commands.lint, oarflow.rtstruct.raster, oarflow.rtstruct.writer\n"
        "assert not {'torch', 'monai', 'holoscan'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
