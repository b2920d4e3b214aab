"""The report that a physicist reads: one HTML file, the same as PDF, and as DICOM for the PACS."""
