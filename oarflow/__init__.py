"""OARflow: contours of the organs at risk on planning CTs of the head and neck.

>>> import oarflow
>>> result = oarflow.contour("CT_FOLDER")
>>> result.save("OUTPUT_FOLDER")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from oarflow.version import __version__

if TYPE_CHECKING:
    from oarflow import rtstruct
    from oarflow.api import ContouredOrgan, Result, contour
    from oarflow.errors import ConfigurationError, Fault, Refusal


_HOMES = {
    "ContouredOrgan": "oarflow.api",
    "Result": "oarflow.api",
    "contour": "oarflow.api",
    "ConfigurationError": "oarflow.errors",
    "Fault": "oarflow.errors",
    "Refusal": "oarflow.errors",
}

__all__ = [
    "ConfigurationError",
    "ContouredOrgan",
    "Fault",
    "Refusal",
    "Result",
    "__version__",
    "contour",
    "rtstruct",
]


def __getattr__(name: str) -> Any:
    """Names of the public interface are imported on first use: torch takes a second."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name == "rtstruct":
        return importlib.import_module("oarflow.rtstruct")
    raise AttributeError(f"module 'oarflow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
