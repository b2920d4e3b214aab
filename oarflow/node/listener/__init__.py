"""The DICOM port: accepts associations and stores instances."""
