"""Recipes through the network: a structure at a known place becomes its organ on its side."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from oarflow.commands import main
from oarflow.geometry import Grid
from oarflow.importing.export import sha256, torchscript
from oarflow.importing.recipes.recipe import ImportRecipe, read_recipes
from oarflow.networks.cards import read_any_card
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.segmentation.imported import ImportedOrgans
from oarflow.volume import Volume
from tests.oarflow.chain import save_models, sphere_volume
from tests.oarflow.importing.recipes.stand_ins import RAW_HU, write_stand_in

ROOT = Path(__file__).resolve().parents[4]
STEP_HU = 100.0
BLOCK = 4
ROWS, COLUMNS = 10, 4
FACTS = {"foreground_intensity_properties_per_channel": {"0": RAW_HU}}

CASES: dict[tuple[str, int], dict[str, tuple[str, ...]]] = {
    ("totalsegmentator", 775): {
        "Eye_L": ("eye_left",),
        "Eye_R": ("eye_right",),
        "Glnd_Submand_L": ("submandibular_gland_left",),
        "Glnd_Submand_R": ("submandibular_gland_right",),
        "Laryngl_Pharynx": ("hypopharynx",),
        "Canal_Aud_Ext_R": ("auditory_canal_right",),
    },
    ("totalsegmentator", 778): {
        "Musc_Constrict": (
            "superior_pharyngeal_constrictor",
            "middle_pharyngeal_constrictor",
            "inferior_pharyngeal_constrictor",
        ),
        "Musc_Sclmast_R": ("sternocleidomastoid_right",),
    },
    ("cads", 557): {"Eye_L": ("eye balls left",), "Eye_R": ("eye balls right",)},
    ("cads", 558): {
        "Eye_L": ("OAR_Eye_AL", "OAR_Eye_PL"),
        "Cochlea_R": ("OAR_Cochlea_R",),
        "Glottis": ("OAR_Glottis",),
    },
}
"""Organs and the structures that they must be, typed from the programs' tables."""


class Nearest(torch.nn.Module):
    """Label k where the HU are nearest to k times 100."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hu = image[:, 0]
        return torch.stack([-(hu - STEP_HU * k).abs() / 8 for k in range(self.heads)], dim=1)


def phantom(recipe: ImportRecipe) -> tuple[Volume, dict[str, NDArray[np.bool_]]]:
    """A CT on the network's own voxels with a block for each structure, and the blocks by name.

    Structures of the left lie at x > 0 (LPS), those of the right at x < 0; one without a side in
    its name lies on both, because nothing says where it belongs.
    """
    dz, dy, dx = recipe.spacing_mm
    shape = (8, 8 * ROWS // 2 + 4, 8 * COLUMNS * 2)
    grid = Grid(
        np.array([(-shape[2] / 2 + 0.5) * dx, 0.0, 0.0]) + np.arange(8)[:, None] * (0.0, 0.0, dz),
        np.array([1.0, 0.0, 0.0]),
        np.array([0.0, 1.0, 0.0]),
        (dy, dx),
        shape,
    )
    hu = np.zeros(shape, dtype=np.float32)
    blocks: dict[str, NDArray[np.bool_]] = {}
    for number, label in enumerate(recipe.labels, start=1):
        words = label.lower().replace("_", " ").split()
        right = bool({"right", "r", "ar", "pr"} & set(words))
        left = bool({"left", "l", "al", "pl"} & set(words))
        for side in ("left", "right"):
            if (left and side == "right") or (right and side == "left"):
                continue
            row, column = divmod(number - 1, COLUMNS)
            x = shape[2] // 2 + 8 * column + 2 if side == "left" else 8 * column + 2
            y = 4 * row + 1
            mask = np.zeros(shape, dtype=bool)
            mask[2:6, y : y + 3, x : x + BLOCK] = True
            hu[mask] = STEP_HU * number
            name = label if left or right else f"{label} {side}"
            blocks[name] = mask
    source = sphere_volume({}).source
    source = replace(source, sop_instance_uids=source.sop_instance_uids[: shape[0]])
    return Volume(hu, grid, source), blocks


@pytest.mark.parametrize(("place", "organs"), CASES.items(), ids=[str(n) for _, n in CASES])
def test_structures_become_organs(
    place: tuple[str, int],
    organs: dict[str, tuple[str, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = read_recipes(place[0])[place[1]]
    monkeypatch.setattr(
        "oarflow.importing.recipes.converting.with_proof",
        lambda card, content, ct, *, known_recipe: card,
    )
    models = save_models(tmp_path / "models")
    shutil.copy(ROOT / "models" / "organs.yaml", models)
    write_stand_in(tmp_path / "weights", recipe, "open" if place[0] == "cads" else "", facts=FACTS)
    words = ["models", "import", place[0], str(place[1]), "-m", str(models)]
    assert main([*words, "--weights", str(tmp_path / "weights")]) == 0
    card = read_any_card(models / recipe.name / "model.json")
    assert isinstance(card, ImportedCard)

    heads = len(recipe.labels) + 1
    content = torchscript({fold: Nearest(heads) for fold in card.folds}, (8, 8, 8))
    path = tmp_path / "model.ts"
    path.write_bytes(content)
    volume, blocks = phantom(recipe)
    seen = card.model_copy(update={"sha256": sha256(content), "patch": (8, 48, 64)})
    for exact in (False, True):
        found = ImportedOrgans(volume, ImportedNetwork(path, seen, "cpu"), {}, exact=exact)
        for organ, structures in organs.items():
            both = [name for s in structures for name in (s, f"{s} left", f"{s} right")]
            expected = np.any([blocks[name] for name in both if name in blocks], axis=0)
            mask = found.field(organ).full_mask(volume.grid.shape)
            assert np.array_equal(mask, expected), (organ, exact)
            x = volume.grid.index_to_patient(np.argwhere(mask))[:, 0]
            if organ.endswith(("_L", "_R")):
                assert (x > 0).all() if organ.endswith("_L") else (x < 0).all()
