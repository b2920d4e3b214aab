"""Data sets as the same cases, and cases as DICOM."""

from oarflow.datasets.opening import open_data_set as open

__all__ = ["open"]
