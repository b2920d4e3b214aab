"""`oarflow node run`: run the node until SIGTERM or SIGINT."""

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
"""How often (s) the node looks for parts that hang."""


def main(flags: argparse.Namespace, settings: NodeSettings) -> int:
    """Run the node. Raises ConfigurationError."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    node = Node(settings)
    try:
        node.open()
        node.start()
        # pynetdicom collects garbage often; objects that exist now need no further look.
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
    """End at once, which loses nothing, so that the service manager starts the node again."""
    name = node.stuck()
    if name is not None:
        LOGGER.critical("%s hangs: the node ends, for the service manager to restart it", name)
        logging.shutdown()
        os._exit(ExitStatus.FAULT)
