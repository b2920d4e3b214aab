"""Reads a folder of files as one Volume. Every file is counted; every doubt leads to a refusal."""

from oarflow.intake.choose import Lossy, Prefer, SeriesRule, SeriesRules
from oarflow.intake.read import (
    Intake,
    StudyFiles,
    read_study,
    read_texts,
    read_volume,
    studies,
)
from oarflow.intake.scan import FileAccount, FileClass

__all__ = [
    "FileAccount",
    "FileClass",
    "Intake",
    "Lossy",
    "Prefer",
    "SeriesRule",
    "SeriesRules",
    "StudyFiles",
    "read_study",
    "read_texts",
    "read_volume",
    "studies",
]
