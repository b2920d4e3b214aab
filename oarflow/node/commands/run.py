"""Run the node until it is told to stop."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import threading

from oarflow.errors import ExitStatus
from oarflow.node.assembly.node import Node
from oarflow.node.settings import NodeSettings

LOGGER = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often the node looks for parts that hang."""


def main(flags: argparse.Namespace, settings: NodeSettings) -> int:
    """Run it. Raises ConfigurationError."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    node = Node(settings)
    try:
        node.open()
        node.start()
        # What is here now stays: no collection, of which pynetdicom orders many, looks through it.
        gc.collect()
        gc.freeze()
        LOGGER.info("the node is running")
        while not stop.wait(LOOK_SECONDS):
            _end_if_stuck(node)
        LOGGER.info("the node is stopping")
    finally:
        node.close()
    return 0


def _end_if_stuck(node: Node) -> None:
    """End at once, as by kill -9, which loses nothing: the service manager starts the node anew."""
    name = node.stuck()
    if name is not None:
        LOGGER.critical("%s hangs and does not come back: the node ends, to be started anew", name)
        logging.shutdown()
        os._exit(ExitStatus.FAULT)
