"""The application on a data set's patients, from DICOM to RTSTRUCT."""
