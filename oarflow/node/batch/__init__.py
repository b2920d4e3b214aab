"""Contours a folder of studies, without DICOM transfer."""
