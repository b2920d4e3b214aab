"""`oarflow commission`: measure accuracy on a clinic's own patients and sign the record."""

from __future__ import annotations

import argparse
from pathlib import Path

from oarflow.commands.flags import add_config, add_models, add_output, find_models
from oarflow.commands.menu import carry_out, require


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments to measure, or to verify a record."""
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        metavar="DIR",
        help="one folder per patient: CT and RTSTRUCT",
    )
    add(
        "--thresholds",
        type=Path,
        metavar="FILE",
        help="the clinic's limits (example: oarflow/evaluation/commissioning/thresholds.yaml)",
    )
    add("--clinic", default="", metavar="NAME", help="name of the clinic in the record")
    add(
        "--signed-by",
        metavar="NAME",
        help="who releases the networks; needed if the settings have a folder `commissioned`",
    )
    add(
        "--key",
        type=Path,
        metavar="FILE",
        help="private key (Ed25519, PEM) that signs the networks' records",
    )
    add(
        "--work",
        type=Path,
        metavar="DIR",
        default=Path("out/commissioning"),
        help="folder for results of cases already done (default: out/commissioning)",
    )
    add("--verify", type=Path, metavar="RECORD", help="check a record and the networks in --models")
    add_config(parser, "settings for contouring (app.yaml)")
    add_models(parser)
    add_output(parser, "folder for the record")


def run(flags: argparse.Namespace) -> int:
    """Commission or verify. Raises ConfigurationError, Fault where the networks differ."""
    require("evaluate")
    from oarflow.evaluation.commands.commissioning import commission

    find_models(flags)
    return carry_out(lambda: commission(flags))
