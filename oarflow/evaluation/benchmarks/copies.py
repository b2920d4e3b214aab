"""Copies of a study, for benchmarks of several studies."""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmread
from pydicom.uid import generate_uid

_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID")


def copy_study(ct: Path, folder: Path, number: int) -> None:
    """A study with the same images and other UIDs."""
    folder.mkdir(parents=True)
    for place, path in enumerate(sorted(ct.rglob("*.dcm"))):
        dataset = dcmread(path)
        for keyword in _UIDS:
            given = str(dataset[keyword].value)
            setattr(dataset, keyword, generate_uid(entropy_srcs=[given, str(number)]))
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(folder / f"{place}.dcm")
