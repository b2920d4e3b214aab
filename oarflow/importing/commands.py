"""`oarflow models import nnunet|bundle`: a trained network becomes one of a models folder."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from oarflow.errors import ExitStatus
from oarflow.importing.bundle import convert as bundles
from oarflow.importing.bundle.bundle import read_bundle
from oarflow.importing.crop import crop_rule
from oarflow.importing.errors import NotImportedError
from oarflow.importing.export import new_folder, write_network
from oarflow.importing.nnunet import convert as nnunet
from oarflow.importing.nnunet.folder import ResultFolder, read_folder
from oarflow.importing.organ_map import by_file, by_name
from oarflow.importing.orientation import with_proof
from oarflow.importing.statement import Statement
from oarflow.importing.summary import contoured_too, import_summary
from oarflow.networks.cards import read_cards
from oarflow.networks.imported.card import ImportedCard, OrganLabels
from oarflow.networks.rule_card import read_rules
from oarflow.organs import load_catalogue

UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class ReadNetwork:
    """A network that was read and checked, before its labels have organs.

    name: of its folder, if the user gives none. orientation: of the training images. structures:
    the labels by their names. convert: makes the content of model.ts and the card. licence: as its
    files state it. remarks: what the user should know. stated_by: what states the orientation, if
    not the user.
    """

    name: str
    orientation: str
    structures: Mapping[str, Sequence[int]]
    convert: Callable[[Statement, Sequence[OrganLabels]], tuple[bytes, ImportedCard]]
    licence: str = UNKNOWN
    remarks: Sequence[str] = ()
    stated_by: str = ""


def import_nnunet(flags: argparse.Namespace) -> int:
    """Import an nnU-Net result folder. Returns the exit status.

    Raises NotImportedError, Refusal, ConfigurationError, OSError.
    """
    found = read_folder(flags.folder, flags.folds)
    return _import(
        flags,
        ReadNetwork(
            name=_nnunet_name(found),
            orientation=flags.orientation,
            structures=found.labels.values,
            convert=partial(nnunet.convert, found),
            remarks=found.remarks,
        ),
    )


def import_bundle(flags: argparse.Namespace) -> int:
    """Import a MONAI bundle. Returns the exit status.

    Raises NotImportedError, Refusal, ConfigurationError, OSError.
    """
    found = read_bundle(flags.folder, torchscript=flags.torchscript)
    read = ReadNetwork(
        name=_folder_name(flags.folder.resolve().name),
        orientation=found.before.orientation,
        structures=found.structures,
        convert=partial(bundles.convert, found),
        licence=found.facts.licence or UNKNOWN,
        stated_by="the bundle's transform Orientationd",
    )
    return _import(flags, read)


def _import(flags: argparse.Namespace, read: ReadNetwork) -> int:
    catalogue = load_catalogue(flags.models)
    if flags.organs is None:
        assignment = by_name(read.structures, catalogue)
    else:
        assignment = by_file(flags.organs, read.structures, catalogue)
    name = flags.name or read.name
    target = new_folder(flags.models, name)
    cards = read_cards(flags.models)
    others = contoured_too(assignment, cards, read_rules(flags.models))
    statement = Statement(
        name,
        read.orientation,
        licence=read.licence if flags.licence == UNKNOWN else flags.licence,
        commercial=flags.commercial,
        crop=crop_rule(flags.crop_organs, flags.crop_margin, catalogue, cards),
        mode="exact" if flags.exact else "fast",
    )
    content, card = read.convert(statement, assignment.contours)
    try:
        card = with_proof(card, content, flags.probe)
    except NotImportedError as error:
        if not read.stated_by:
            raise
        raise NotImportedError(
            f"{error}. Here, {read.stated_by} states the orientation instead of --orientation"
        ) from None
    write_network(target, content, card)
    sys.stdout.write(import_summary(target, card, assignment, others, read.remarks))
    return ExitStatus.WRITTEN


def _nnunet_name(found: ResultFolder) -> str:
    """Of the data set and the configuration, such as Dataset001_HeadNeck_3d_fullres."""
    return _folder_name(f"{found.path.resolve().parent.name}_{found.configured.name}")


def _folder_name(words: str) -> str:
    return re.sub("[^A-Za-z0-9_-]+", "_", words)[:60]
