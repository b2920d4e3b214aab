"""The flags of `oarflow models import`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

CADS_VARIANTS = ("reference", "research", "open")

Menu = Callable[..., argparse.ArgumentParser]


def add_forms(menu: Menu, add_models: Callable[[argparse.ArgumentParser], None]) -> None:
    """One command for each form of network. add_models: adds -m."""
    nnunet = menu("nnunet", "import a result folder of nnU-Net v2")
    _add_nnunet(nnunet)
    bundle = menu(
        "bundle",
        "import a MONAI bundle",
        description="Import the network of a MONAI bundle. The bundle's configuration is read and"
        " never executed.",
    )
    _add_bundle(bundle)
    totalsegmentator = menu(
        "totalsegmentator",
        "import a task of TotalSegmentator 2.18 by its recipe",
        description="Import the networks of a task of TotalSegmentator 2.18. OARflow downloads"
        " nothing: fetch the weights with totalseg_download_weights first.",
    )
    _add_recipe(totalsegmentator)
    totalsegmentator.add_argument(
        "--licence-number",
        metavar="X",
        help="TotalSegmentator's licence number, for licensed tasks; it is not kept",
    )
    totalsegmentator.set_defaults(variant=None)
    cads = menu(
        "cads",
        "import a network of CADS by its recipe",
        description="Import a network of CADS. OARflow downloads nothing: fetch the weights with"
        " CADS first.",
    )
    _add_recipe(cads)
    cads.add_argument(
        "--variant",
        choices=CADS_VARIANTS,
        help="which weights, if there are several: their licences differ",
    )
    cads.set_defaults(licence_number=None)
    for parser in (nnunet, bundle, totalsegmentator, cads):
        add_models(parser)


def _add_nnunet(parser: argparse.ArgumentParser) -> None:
    """What the user states about a result folder."""
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="the folder of plans.json and fold_*")
    add(
        "--orientation",
        required=True,
        metavar="RAS",
        help="directions in which x, y and z of the training images grow: three of L R A P S I",
    )
    add("--folds", nargs="+", default=(), metavar="K", help="folds to use (default: all)")
    _add_statement(
        parser,
        "label every voxel as nnU-Net does, mirroring included, in the whole CT (default: contours"
        " in the searched part, without mirroring, which takes a fraction of the time)",
    )


def _add_bundle(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="the folder of configs and models")
    add(
        "--torchscript",
        action="store_true",
        help="use models/model.ts although there is models/model.pt",
    )
    _add_statement(
        parser,
        "label every voxel as MONAI does, in the whole CT (default: contours in the searched part,"
        " which takes a fraction of the time)",
    )


def _add_statement(parser: argparse.ArgumentParser, exact: str) -> None:
    """What the user states about a network. exact: help for --exact."""
    add = parser.add_argument
    add(
        "--organs",
        type=Path,
        metavar="FILE",
        help="file with the organ of each label (default: by the labels' names)",
    )
    _add_probe(parser)
    add(
        "--exact",
        action="store_true",
        help=exact,
    )
    add(
        "--crop-organs",
        nargs="+",
        default=(),
        metavar="ORGAN",
        help="search around these organs if the localization network does not know all organs of"
        " the network (default: the whole CT)",
    )
    add(
        "--crop-margin",
        type=float,
        default=30.0,
        metavar="MM",
        help="distance in mm around --crop-organs (default: 30)",
    )
    add("--name", help="folder of the network in the models folder")
    add(
        "--licence",
        default="unknown",
        help="name of the network's licence (default: as its files state it, or unknown)",
    )
    add(
        "--commercial",
        choices=("yes", "no", "unknown"),
        default="unknown",
        help="whether its licence allows commercial use",
    )


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="TASK", help="number or name: see `oarflow models recipes`")
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FOLDER",
        help="folder of the other program's weights (default: where that program keeps them)",
    )
    _add_probe(parser)


def _add_probe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--probe",
        type=Path,
        metavar="CT",
        help="folder of a CT on which the orientation is checked (default: the shipped sample)",
    )
