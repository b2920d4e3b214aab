"""Proves the stated orientation of a network on a CT that OARflow contours itself.

No file of nnU-Net says how the arrays of its training images lay, and what another program states
can be wrong. Left and right are then swapped, and the contours look right. The network therefore
reads the CT in all eight flips, without mirroring, and its organs are compared with OARflow's own.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oarflow.importing.agreement import with_bfloat16
from oarflow.importing.errors import NotImportedError
from oarflow.importing.own_organs import OwnOrgans, own_organs, own_store
from oarflow.networks.backend import choose_device
from oarflow.networks.card import NETWORK_NAME, partner
from oarflow.networks.imported.card import ImportedCard, OrganLabels, OrientationEvidence
from oarflow.networks.imported.directions import DIRECTIONS, flips
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.networks.precision import has_bfloat16
from oarflow.segmentation.imported import ImportedOrgans

LOGGER = logging.getLogger(__name__)

LEAST_DICE = 0.5
"""Least Dice, in the best orientation, of an organ that counts. Others say nothing: the network
fails on them, or means another part of the body."""

MOST_LOSS = 0.15
"""Greatest loss of an organ's Dice, from its best orientation to one that still agrees."""

STEP = 0.8
"""Distance of tiles as a share of the patch: eight passes need no finer one."""

ANOTHER_CT = "name another CT with --probe"


@dataclass(frozen=True)
class Agreement:
    """Dice by orientation and organ; the stated orientation first. sided: the paired organs."""

    dice: Mapping[str, Mapping[str, float]]
    sided: frozenset[str]

    @property
    def stated(self) -> str:
        return next(iter(self.dice))

    @property
    def counting(self) -> dict[str, float]:
        """The greatest Dice of each organ that counts."""
        organs = self.dice[self.stated]
        best = {organ: max(row[organ] for row in self.dice.values()) for organ in organs}
        return {organ: dice for organ, dice in best.items() if dice >= LEAST_DICE}

    @property
    def agreeing(self) -> tuple[str, ...]:
        """The orientations in which every organ that counts is nearly at its best."""
        best = self.counting
        return tuple(
            orientation
            for orientation, row in self.dice.items()
            if best and all(row[organ] >= dice - MOST_LOSS for organ, dice in best.items())
        )

    @property
    def sides_decided(self) -> bool:
        """Whether a paired organ is lost when left and right are swapped."""
        swapped = self.dice[mirrored(self.stated)]
        paired = (organ for organ in self.counting if organ in self.sided)
        return any(swapped[organ] < self.counting[organ] - MOST_LOSS for organ in paired)


def with_proof(
    card: ImportedCard, content: bytes, ct: Path | None, *, known_recipe: bool = False
) -> ImportedCard:
    """The card of a network with the proof of its orientation, and whether bfloat16 agrees.

    content: of model.ts. ct: folder of the CT; None for the shipped sample. known_recipe: whether
    the orientation comes from a recipe for this very network: it stays unproven where the CT shows
    no organ that both contour, or no paired one of a network with labels of one side.
    Raises NotImportedError, Refusal, ConfigurationError.
    """
    own = own_organs(ct, card.organs)
    if not own.fields:
        if known_recipe:
            return card
        raise NotImportedError(
            f"the orientation cannot be proved: OARflow contours none of {', '.join(card.organs)}"
            f" on the CT; map a label to one of {', '.join(own_store().organs)}, or {ANOTHER_CT}"
        )
    with tempfile.TemporaryDirectory(prefix="oarflow-") as folder:
        path = Path(folder, NETWORK_NAME)
        path.write_bytes(content)
        card = proved(card, measured(path, card, own), own.ct, known_recipe=known_recipe)
        return with_bfloat16(card, path, own) if has_bfloat16() else card


def proved(
    card: ImportedCard, agreement: Agreement, ct: str, *, known_recipe: bool = False
) -> ImportedCard:
    """The card with proof and evidence. Raises NotImportedError where they contradict it."""
    agreeing, stated = agreement.agreeing, agreement.stated
    if not agreeing:
        raise NotImportedError(
            f"no orientation agrees with OARflow's own organs ({_best(agreement)}): check the order"
            f" of the axes in --orientation and the organ map, or {ANOTHER_CT}"
        )
    if stated not in agreeing:
        raise NotImportedError(
            f"--orientation {stated} contradicts OARflow's own organs"
            f" ({_figures(agreement.dice[stated])}); {', '.join(agreeing)} agrees"
            f" ({_figures(agreement.dice[agreeing[0]])}): correct --orientation if the training"
            " images lay so, or correct the organ map if it swaps labels of left and right"
        )
    undecided = bool(agreement.sided) and not agreement.sides_decided
    if undecided and not known_recipe:
        raise NotImportedError(
            f"left and right are not proved ({_figures(agreement.dice[stated])}): a network with"
            f" labels of one side needs a paired organ, such as Parotid_L, that it and OARflow both"
            f" contour: add one to the organ map, or {ANOTHER_CT}"
        )
    if agreement.sided and len(agreeing) > 1 and not undecided:
        raise NotImportedError(
            f"several orientations agree ({', '.join(agreeing)}), and the network has labels of"
            f" one side: {ANOTHER_CT}"
        )
    proof = "proven" if len(agreeing) == 1 else "sides undecided"
    return card.model_copy(
        update={
            "orientation_proof": "unproven" if undecided else proof,
            "orientation_evidence": OrientationEvidence(
                ct=ct,
                dice={flip: dict(row) for flip, row in agreement.dice.items()},
                agreeing=agreeing,
            ),
        }
    )


def measured(path: Path, card: ImportedCard, own: OwnOrgans) -> Agreement:
    """Dice of a network's organs with OARflow's own on a CT, in all eight flips.

    path: its model.ts. Organs without an own contour do not take part.
    """
    common = tuple(contour for contour in card.contours if contour.organ in own.fields)
    reduced = card.model_copy(
        update={"contours": common, "step": max(card.step, STEP), "mode": "fast"}
    )
    network = ImportedNetwork(path, reduced, choose_device("auto"))
    dice = {flip: _dice(network, own, flip) for flip in flips(card.orientation)}
    return Agreement(dice, frozenset(c.organ for c in card.contours if of_one_side(c)))


def _dice(network: ImportedNetwork, own: OwnOrgans, orientation: str) -> dict[str, float]:
    organs = ImportedOrgans(own.volume, network, own.localizations, orientation)
    found = {
        contour.organ: round(organs.field(contour.organ).dice(own.fields[contour.organ]), 4)
        for contour in network.card.contours
    }
    LOGGER.info("read as %s: Dice %s", orientation, _figures(found))
    return found


def of_one_side(contour: OrganLabels) -> bool:
    """Whether a network's labels themselves mean one side of the patient."""
    return contour.side is None and partner(contour.organ) != contour.organ


def mirrored(orientation: str) -> str:
    """The orientation with left and right swapped."""
    swap = str.maketrans({DIRECTIONS[0][0]: DIRECTIONS[0][1], DIRECTIONS[0][1]: DIRECTIONS[0][0]})
    return orientation.translate(swap)


def _best(agreement: Agreement) -> str:
    organs = agreement.dice[agreement.stated]
    return _figures({o: max(row[o] for row in agreement.dice.values()) for o in organs})


def _figures(row: Mapping[str, float]) -> str:
    return ", ".join(f"{organ} {dice:.2f}" for organ, dice in row.items())
