"""The report for the physicist: an HTML file, a PDF, and the PDF as DICOM for the PACS."""
