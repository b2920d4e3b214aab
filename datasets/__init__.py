"""Data sets as the same cases, and cases as DICOM."""
