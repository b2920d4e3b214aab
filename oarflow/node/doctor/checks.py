"""All checks of `doctor`, in the order in which they are shown."""

from __future__ import annotations

from oarflow.node.doctor.application import application, networks, outputs
from oarflow.node.doctor.machine import database, memory, storage
from oarflow.node.doctor.peers import alarm, peers
from oarflow.node.doctor.ports import listener, web
from oarflow.node.doctor.results import Check
from oarflow.node.doctor.templates import templates

CHECKS: tuple[Check, ...] = (
    storage,
    database,
    listener,
    application,
    memory,
    outputs,
    templates,
    networks,
    web,
    peers,
    alarm,
)
