"""What the node receives over DICOM, and how it comes safely to disk and database."""
