"""What the node says, to standard error."""

from __future__ import annotations

import logging


def set_up(level: int) -> None:
    """Libraries only warn: what they say at length may be of a patient. level: of our own."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("service").setLevel(level)
