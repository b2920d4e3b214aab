"""The DICOM node: receives planning CTs, contours them and delivers the results.

It knows the application by its command line, its exit status and result.json only.
"""
