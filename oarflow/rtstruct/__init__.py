"""DICOM RT structure sets: make contours, write, read, check. Needs neither torch nor MONAI.

>>> from oarflow import rtstruct
>>> masks = rtstruct.read("rtstruct.dcm", ct="CT_FOLDER")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oarflow.rtstruct.errors import ReadError
    from oarflow.rtstruct.provenance import Origin
    from oarflow.rtstruct.rtstruct import RTStruct
    from oarflow.rtstruct.shortcuts import read, write

_HOMES = {
    "Origin": "oarflow.rtstruct.provenance",
    "RTStruct": "oarflow.rtstruct.rtstruct",
    "ReadError": "oarflow.rtstruct.errors",
    "read": "oarflow.rtstruct.shortcuts",
    "write": "oarflow.rtstruct.shortcuts",
}

__all__ = ["Origin", "RTStruct", "ReadError", "read", "write"]


def __getattr__(name: str) -> Any:
    """Import names of the public interface on first use, because parts of the package need less."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'oarflow.rtstruct' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
