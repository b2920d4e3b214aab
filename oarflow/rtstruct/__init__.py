"""DICOM RT structure sets: contours, writing, reading, checking. Needs no torch and no MONAI."""
