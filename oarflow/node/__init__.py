"""The DICOM node: receives planning CTs, has them contoured, sends the results, loses nothing.

It knows the application by its command line and result.json alone.
"""
