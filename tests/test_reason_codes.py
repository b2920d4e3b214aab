"""Every reason code of the table, each from the shipped CT with the least damage that earns it."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom import FileDataset
from pydicom.uid import EnhancedCTImageStorage

from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case
from oarflow.errors import Code, Refusal
from oarflow.intake import Lossy, SeriesRule, SeriesRules, read_volume
from oarflow.networks.store import ModelStore
from oarflow.plausibility.anatomy import require_head_and_neck
from oarflow.reason_codes import REASONS
from oarflow.segmentation.localizer import localize
from oarflow.segmentation.segmenter import Segmenter
from oarflow.volume import Volume
from oarflow.writing.proven import require_written

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLE = REPOSITORY / "samples" / "openkbp_validation" / "ct"
MIDDLE = slice(40, 60)
"""Slices of the sample that a damaged series is made of: enough to be accepted."""

ANY = SeriesRules()

Series = list[FileDataset]


@dataclass(frozen=True)
class Damage:
    """of_series: changes the data sets, or returns others. of_folder: changes the written files."""

    of_series: Callable[[Series], Series | None] = lambda series: None
    of_folder: Callable[[Path], None] = lambda folder: None
    rules: SeriesRules = ANY


def in_all(**tags: object) -> Damage:
    def change(series: Series) -> None:
        for dataset in series:
            for keyword, value in tags.items():
                setattr(dataset, keyword, value)

    return Damage(change)


def in_one(**tags: object) -> Damage:
    """One slice differs; None takes the element away."""

    def change(series: Series) -> None:
        for keyword, value in tags.items():
            if value is None:
                del series[7][keyword]
            else:
                setattr(series[7], keyword, value)

    return Damage(change)


def nothing(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def no_dicom(folder: Path) -> None:
    nothing(folder)
    (folder / "notes.txt").write_text("the CT follows tomorrow")


def cut_file(folder: Path) -> None:
    path = sorted(folder.iterdir())[7]
    path.write_bytes(path.read_bytes()[:200])


def foreign_syntax(folder: Path) -> None:
    """MPEG2 by name, in as many bytes as the syntax that it replaces."""
    old, new = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.100\0"
    for path in folder.iterdir():
        content = path.read_bytes()
        at = content.index(old)
        size = int.from_bytes(content[140:144], "little") + len(new) - len(old)
        head = content[:140] + size.to_bytes(4, "little") + content[144 : at - 2]
        path.write_bytes(head + len(new).to_bytes(2, "little") + new + content[at + len(old) :])


def second_series(series: Series) -> Series:
    return [*series, *(renamed(dataset, "2.25.99") for dataset in series)]


def renamed(dataset: FileDataset, series_uid: str) -> FileDataset:
    other = deepcopy(dataset)
    other.SeriesInstanceUID = series_uid
    other.SOPInstanceUID = f"{series_uid}.{dataset.InstanceNumber}"
    other.file_meta.MediaStorageSOPInstanceUID = other.SOPInstanceUID
    return other


def other_matrix(series: Series) -> None:
    series[7].Rows = 64
    series[7].PixelData = series[7].PixelData[: len(series[7].PixelData) // 2]


def other_content(series: Series) -> Series:
    twin = renamed(series[7], "2.25.98")
    twin.SeriesInstanceUID = series[7].SeriesInstanceUID
    twin.PixelData = series[8].PixelData
    return [*series, twin]


def outgrown(series: Series) -> None:
    """Metal in one slice, beyond the 12 bits that its header speaks of."""
    values = series[7].pixel_array + 1024
    values[60:68, 60:68] = 5000
    series[7].PixelData = values.astype("<u2").tobytes()
    series[7].BitsStored, series[7].HighBit, series[7].PixelRepresentation = 12, 11, 0
    series[7].RescaleIntercept = -1024


def exchanged(series: Series) -> None:
    """Two slices, 30 mm apart, have changed their pixels."""
    series[5].PixelData, series[15].PixelData = series[15].PixelData, series[5].PixelData


def raised(series: Series) -> None:
    x, y, z = (float(v) for v in series[7].ImagePositionPatient)
    series[7].ImagePositionPatient = [x, y, z + 0.8]


def sheared(series: Series) -> None:
    for k, dataset in enumerate(series):
        x, y, z = (float(v) for v in dataset.ImagePositionPatient)
        dataset.ImagePositionPatient = [x, round(y + 0.3 * k, 3), z]


def turned(series: Series) -> None:
    """All slices, and their places, by 5 degrees about the x axis."""
    angle = np.radians(5.0)
    back = np.array([0.0, np.cos(angle), np.sin(angle)])
    normal = np.cross([1.0, 0.0, 0.0], back)
    for k, dataset in enumerate(series):
        dataset.ImageOrientationPatient = [1, 0, 0, *(round(float(v), 8) for v in back)]
        dataset.ImagePositionPatient = [round(float(v), 4) for v in 3.0 * k * normal]


DAMAGES: dict[Code, Damage] = {
    Code.NO_FILES: Damage(of_folder=nothing),
    Code.NO_DICOM: Damage(of_folder=no_dicom),
    Code.NOT_CT: in_all(Modality="MR"),
    Code.ONLY_LOCALIZER: in_all(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    Code.TOO_LARGE: in_one(Rows=65535, Columns=65535),
    Code.UNREADABLE_FILE: Damage(of_folder=cut_file),
    Code.UNREADABLE_PIXELS: in_one(PixelData=b"\0" * 100),
    Code.AMBIGUOUS_PIXELS: Damage(outgrown),
    Code.UNSUPPORTED_TRANSFER_SYNTAX: Damage(of_folder=foreign_syntax),
    Code.NO_MATCHING_SERIES: Damage(
        rules=SeriesRules(select=(SeriesRule(description="no such series"),))
    ),
    Code.AMBIGUOUS_SERIES: Damage(second_series),
    Code.MIXED_PATIENTS: in_one(PatientID="ANOTHER"),
    Code.MIXED_STUDIES: in_one(StudyInstanceUID="2.25.97"),
    Code.MIXED_ORIENTATION: in_one(
        ImageOrientationPatient=[0.9998477, 0.0174524, 0, -0.0174524, 0.9998477, 0]
    ),
    Code.MIXED_MATRIX: Damage(other_matrix),
    Code.MIXED_SPACING: in_one(PixelSpacing=[4.7, 4.7]),
    Code.MIXED_FRAME_OF_REFERENCE: in_one(FrameOfReferenceUID="2.25.96"),
    Code.MISSING_POSITION: in_one(ImagePositionPatient=None),
    Code.MISSING_ORIENTATION: in_one(ImageOrientationPatient=None),
    Code.MISSING_SPACING: in_one(PixelSpacing=None),
    Code.MISSING_RESCALE: in_one(RescaleIntercept=None),
    Code.MISSING_FRAME_OF_REFERENCE: in_one(FrameOfReferenceUID=None),
    Code.DUPLICATE_CONFLICT: Damage(other_content),
    Code.MISSING_SLICE: Damage(lambda series: series[:7] + series[8:]),
    Code.DISPLACED_SLICE: Damage(raised),
    Code.GANTRY_TILT: Damage(sheared),
    Code.OBLIQUE: Damage(turned),
    Code.ENHANCED_CT: in_all(SOPClassUID=EnhancedCTImageStorage),
    Code.POSITION_CONTRADICTS_ORIENTATION: in_all(PatientPosition="HFP"),
    Code.LOSSY_COMPRESSION: Damage(
        in_all(LossyImageCompression="01").of_series, rules=SeriesRules(lossy=Lossy.REFUSE)
    ),
    Code.INVALID_IDENTITY: in_all(PatientID="x" * 65),
    Code.TOO_FEW_SLICES: Damage(lambda series: series[:9]),
    Code.IMPLAUSIBLE_HU: in_all(RescaleIntercept=0),
    Code.DISCONTINUOUS_SLICES: Damage(exchanged),
}
"""Codes of the intake. Those of the networks have their own tests below."""

OF_NETWORKS: frozenset[Code] = frozenset(
    {Code.WRONG_ANATOMY, Code.POSITION_CONTRADICTS_ANATOMY, Code.NOTHING_SEGMENTED}
)


OF_ARCHIVES: frozenset[Code] = frozenset({Code.ARCHIVE_UNREADABLE, Code.ARCHIVE_UNSAFE})
"""Codes of zip archives, which tests/oarflow/intake/test_archive.py produces."""


def sample() -> Series:
    return [pydicom.dcmread(path) for path in sorted(SAMPLE.iterdir())[MIDDLE]]


def written(series: Sequence[FileDataset], folder: Path) -> Path:
    folder.mkdir()
    for number, dataset in enumerate(series):
        dataset.save_as(folder / f"{number:04d}.dcm")
    return folder


def test_every_code_is_produced_here() -> None:
    assert set(DAMAGES) | OF_NETWORKS | OF_ARCHIVES == set(Code)
    assert not set(DAMAGES) & OF_NETWORKS


def test_the_undamaged_slices_are_accepted(tmp_path: Path) -> None:
    assert read_volume(written(sample(), tmp_path / "ct")).volume.hu.shape == (20, 128, 128)


@pytest.mark.filterwarnings("ignore")  # pydicom warns of the values that are planted here
@pytest.mark.parametrize("code", DAMAGES, ids=str)
def test_damage_is_refused_by_its_code(code: Code, tmp_path: Path) -> None:
    damage = DAMAGES[code]
    series = sample()
    folder = written(damage.of_series(series) or series, tmp_path / "ct")
    damage.of_folder(folder)
    with pytest.raises(Refusal) as refusal:
        read_volume(folder, damage.rules)
    assert refusal.value.code is code
    assert REASONS[code].meaning
    assert REASONS[code].remedy


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore.open(REPOSITORY / "models", device="cpu")


@pytest.fixture(scope="module")
def volume() -> Volume:
    return read_volume(SAMPLE).volume


def series_of(hu: NDArray[np.float32], volume: Volume, folder: Path) -> Volume:
    """Voxels of the sample as a series of their own."""
    case = Case("part", np.ascontiguousarray(hu.astype(np.int16)), volume.grid.spacing_zyx)
    write_ct(case, folder)
    return read_volume(folder).volume


def judged(volume: Volume, store: ModelStore) -> None:
    """What the application asks between localizer and networks."""
    require_head_and_neck(
        localize(volume, store), volume, lambda turned: localize(turned, store), store.sure_score
    )


def test_shoulders_alone_are_no_head_and_neck(
    store: ModelStore, volume: Volume, tmp_path: Path
) -> None:
    with pytest.raises(Refusal) as refusal:
        judged(series_of(volume.hu[:20], volume, tmp_path / "ct"), store)
    assert refusal.value.code is Code.WRONG_ANATOMY


def test_a_head_upside_down_contradicts_its_header(
    store: ModelStore, volume: Volume, tmp_path: Path
) -> None:
    """Registered as if the other end lay first: head and feet, left and right change places."""
    turned_over = series_of(volume.hu[::-1, :, ::-1], volume, tmp_path / "ct")
    with pytest.raises(Refusal) as refusal:
        judged(turned_over, store)
    assert refusal.value.code is Code.POSITION_CONTRADICTS_ANATOMY


TURNS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "nose to the back": lambda hu: hu[:, ::-1, ::-1],
    "on one side": lambda hu: np.rot90(hu, 1, (1, 2)),
    "on the other side": lambda hu: np.rot90(hu, -1, (1, 2)),
    "head for foot, nose to the back": lambda hu: hu[::-1, ::-1],
}


@pytest.mark.parametrize("turn", TURNS)
def test_a_patient_registered_in_another_position(
    turn: str, store: ModelStore, volume: Volume, tmp_path: Path
) -> None:
    with pytest.raises(Refusal) as refusal:
        judged(series_of(TURNS[turn](volume.hu), volume, tmp_path / "ct"), store)
    assert refusal.value.code is Code.POSITION_CONTRADICTS_ANATOMY


@pytest.mark.parametrize("part", [slice(None, 64), slice(64, None)], ids=["right", "left"])
@pytest.mark.parametrize("value", [-1000, -1024])
def test_half_a_head(
    part: slice, value: int, store: ModelStore, volume: Volume, tmp_path: Path
) -> None:
    hu = volume.hu.copy()
    hu[:, :, part] = value
    with pytest.raises(Refusal) as refusal:
        judged(series_of(hu, volume, tmp_path / "ct"), store)
    assert refusal.value.code is Code.WRONG_ANATOMY
    assert "the scan shows only air" in refusal.value.detail


def test_the_sample_itself_passes(store: ModelStore, volume: Volume) -> None:
    judged(volume, store)


def test_turned_and_halved_planning_ct(
    store: ModelStore, shared_data: Path, tmp_path: Path
) -> None:
    with tarfile.open(shared_data / "dicom" / "hn_picker.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    sound = read_volume(tmp_path).volume
    judged(sound, store)
    half = sound.hu.copy()
    half[:, :, half.shape[2] // 2 :] = -1000
    outcomes = []
    for hu in (*(turn(sound.hu) for turn in TURNS.values()), half):
        with pytest.raises(Refusal) as refusal:
            judged(replace(sound, hu=np.ascontiguousarray(hu)), store)
        outcomes.append(refusal.value.code)
    assert outcomes == [Code.POSITION_CONTRADICTS_ANATOMY] * len(TURNS) + [Code.WRONG_ANATOMY]


def test_a_skull_without_the_only_organ_asked_for(
    store: ModelStore, volume: Volume, tmp_path: Path
) -> None:
    skull = series_of(volume.hu[-30:], volume, tmp_path / "ct")
    asked = Segmenter(skull, localize(skull, store), store).segment("Esophagus")
    with pytest.raises(Refusal) as refusal:
        require_written([asked])
    assert refusal.value.code is Code.NOTHING_SEGMENTED
