"""Run the node until it is told to stop."""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import threading

from service.node import Node
from service.settings import Settings

LOGGER = logging.getLogger(__name__)

HELP = "run the node (what happens without a command)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def main(flags: argparse.Namespace, settings: Settings) -> int:
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
        stop.wait()
        LOGGER.info("the node is stopping")
    finally:
        node.close()
    return 0
