"""The self-check: a written file is compared with its masks and the raw CT before delivery."""

from oarflow.rtstruct.check.headers import SliceHeader, read_headers
from oarflow.rtstruct.check.inspection import CheckReport, OrganCheck, check_file, inspect_file

__all__ = [
    "CheckReport",
    "OrganCheck",
    "SliceHeader",
    "check_file",
    "inspect_file",
    "read_headers",
]
