"""The node's settings: one module a section, all of them together in `node`."""

from oarflow.node.settings.execution import ExecutionSettings
from oarflow.node.settings.listener import Caller, ListenerSettings
from oarflow.node.settings.node import (
    DatabaseSettings,
    NodeSettings,
    SeriesSettings,
    StorageSettings,
    load_settings,
)
from oarflow.node.settings.pulling import DicomWeb, PullSource

__all__ = [
    "Caller",
    "DatabaseSettings",
    "DicomWeb",
    "ExecutionSettings",
    "ListenerSettings",
    "NodeSettings",
    "PullSource",
    "SeriesSettings",
    "StorageSettings",
    "load_settings",
]
