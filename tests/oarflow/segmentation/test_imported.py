"""Organs of imported networks: fast against exact, neighbours, search, sides, memory."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import oarflow.segmentation.imported as imported_module
from oarflow.compare.overlap import dice
from oarflow.geometry import Grid
from oarflow.networks.imported.card import (
    CropRule,
    ImportedCard,
    LargestComponent,
    OrganLabels,
)
from oarflow.networks.imported.exact import exact_labels
from oarflow.networks.imported.fast import BoxLogits
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.networks.sampling import read_weights
from oarflow.networks.store import ModelStore
from oarflow.segmentation.imported import (
    ImportedOrgans,
    margin_of,
    region_margin,
    search_bounds,
)
from oarflow.segmentation.search import find_organs
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Localization, Status
from oarflow.volume import Volume
from tests.oarflow.chain import save_models, sphere_volume
from tests.oarflow.importing.nnunet.cases import SMALL, goldens, imported
from tests.oarflow.segmentation.imported_networks import LEFT, RIGHT, Halves, write_imported

CENTRES = {"Parotid_L": (40.0, 5.0, 3.0), "Parotid_R": (-41.0, 5.0, 3.0)}
RADIUS = 12.0


@pytest.fixture
def volume() -> Volume:
    made = sphere_volume(CENTRES, RADIUS)
    made.hu[made.hu == 0] = 1.0  # nnU-Net reads nothing beyond values of exactly 0
    return made


def network(folder: Path, **fields: object) -> ImportedNetwork:
    card = write_imported(folder, **fields)  # type: ignore[arg-type]
    return ImportedNetwork(folder / "model.ts", card, "cpu")


def sphere(volume: Volume, organ: str) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    index = np.stack(np.meshgrid(*map(np.arange, volume.grid.shape), indexing="ij"), -1)
    away = volume.grid.index_to_patient(index) - np.array(CENTRES[organ])
    return np.asarray(np.linalg.norm(away, axis=-1) <= RADIUS)


def full(field_of: ImportedOrgans, organ: str) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return field_of.field(organ).full_mask(field_of.volume.grid.shape)


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "AIL"])
@pytest.mark.parametrize("transpose", [(0, 1, 2), (2, 0, 1)])
def test_fast_finds_what_is_there_in_every_orientation(
    orientation: str, transpose: tuple[int, int, int], volume: Volume, tmp_path: Path
) -> None:
    found = network(tmp_path / "n", orientation=orientation, transpose=transpose)
    organs = ImportedOrgans(volume, found, {})
    for organ in CENTRES:
        assert dice(full(organs, organ), sphere(volume, organ)) > 0.97
        assert not organs.field(organ).clipped


def test_fast_gives_the_labels_of_exact_inference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The random network's labels meet everywhere: an error of half a voxel would show.

    It has specks alone, so that they count.
    """
    monkeypatch.setattr(imported_module, "SPECK_SHARE", 0.0)
    (golden,) = goldens(SMALL)
    found = imported(golden, tmp_path / "model.ts")
    contours = tuple(
        OrganLabels(organ=organ, labels=(label,))
        for label, organ in enumerate(("Brain", "Brainstem", "Larynx", "Eye_L", "Eye_R"), start=1)
    )
    found.card = found.card.model_copy(update={"contours": contours})
    volume = golden.volume
    exact = exact_labels(volume.hu, volume.grid, found, mirroring=False, postprocessing=False)
    organs = ImportedOrgans(volume, found, {})
    for label, contour in enumerate(contours, start=1):
        assert dice(full(organs, contour.organ), exact == label) > 0.995


def test_exact_fields_are_the_labels(volume: Volume, tmp_path: Path) -> None:
    found = network(tmp_path / "n")
    labels = exact_labels(volume.hu, volume.grid, found)
    organs = ImportedOrgans(volume, found, {}, exact=True)
    assert np.array_equal(full(organs, "Parotid_L"), labels == LEFT)
    assert np.array_equal(full(organs, "Parotid_R"), labels == RIGHT)


def test_neighbours_meet(tmp_path: Path) -> None:
    """Two labels without background between them: their surfaces coincide below a voxel."""
    volume = sphere_volume({})
    found = network(
        tmp_path / "n", network=Halves(), spacing_mm=(2.0, 1.7, 160 / 32), patch=(16, 32, 32)
    )
    organs = ImportedOrgans(volume, found, {})
    left, right = organs.field("Parotid_L"), organs.field("Parotid_R")
    both = left.common_part(right)
    assert both is not None
    mine, theirs = both
    assert float(np.abs(left.values[mine] + right.values[theirs] - 1).max()) < 1e-3
    together = left.full_mask(volume.grid.shape) | right.full_mask(volume.grid.shape)
    assert together.all()


def test_a_field_is_between_the_organ_and_its_nearest_rival() -> None:
    heads = np.array([[0.0, 1.0, 5.0], [2.0, 4.0, 1.0], [1.0, 3.0, 3.0]], dtype=np.float32)
    one = margin_of((1,), (0, 2), lambda head: heads[head])
    assert one.tolist() == [1.0, 1.0, -4.0]
    union = margin_of((1, 2), (0,), lambda head: heads[head])
    assert union.tolist() == [2.0, 3.0, -2.0]


def test_heads_that_never_win_are_not_interpolated() -> None:
    """The margin to the rivals alone is that to all heads, bit by bit."""
    generator = np.random.default_rng(3)
    values = generator.normal(size=(7, 6, 7, 8)).astype(np.float16)
    values[4] = values[2] - np.abs(generator.normal(size=(6, 7, 8))).astype(np.float16)
    values[5] = values[2]  # of two equal heads, one is enough
    matrices = tuple(
        read_weights(np.arange(n, dtype=float), np.linspace(0, n - 1, 3 * n), 0.0)
        for n in (6, 7, 8)
    )
    voxels = type("Voxels", (), {"back": matrices})()
    box = (slice(0, 6), slice(0, 7), slice(0, 8))
    logits = BoxLogits(torch.from_numpy(values), box, voxels)
    ct = (slice(3, 15), slice(2, 20), slice(0, 24))
    rivals = logits.rivals((1,), ct)
    assert sorted(rivals) in ([0, 2, 3, 6], [0, 3, 5, 6])
    some = margin_of((1,), rivals, lambda head: logits.on_ct(head, ct))
    every = margin_of((1,), (0, 2, 3, 4, 5, 6), lambda head: logits.on_ct(head, ct))
    assert np.array_equal(some, every)


def test_weights_below_zero_leave_all_rivals() -> None:
    values = np.stack([np.full((4, 4, 4), level, dtype=np.float16) for level in (3.0, 2.0, 1.0)])
    overshooting = np.eye(4, dtype=np.float32) * 1.2 - 0.05
    voxels = type("Voxels", (), {"back": (overshooting,) * 3})()
    box = (slice(0, 4),) * 3
    assert BoxLogits(torch.from_numpy(values), box, voxels).rivals((1,), box) == [0, 2]


def test_regions_are_painted_in_order() -> None:
    """The margin is positive exactly where nnU-Net paints one of the labels last."""
    generator = np.random.default_rng(5)
    heads = generator.normal(size=(3, 500)).astype(np.float32)
    regions = (1, 2, 3)
    painted = np.zeros(500, dtype=int)
    for head, label in enumerate(regions):
        painted[heads[head] > 0] = label
    for labels in ((1,), (2,), (3,), (1, 2, 3), (2, 3), (1, 3)):
        margin = region_margin(labels, regions, lambda head: heads[head])
        assert np.array_equal(margin > 0, np.isin(painted, labels))


def test_uneven_slices_keep_their_places(volume: Volume, tmp_path: Path) -> None:
    """Slices are left out below: contours stay on their own planes in fast and exact inference."""
    kept = np.r_[0:28:2, 28:60]
    grid = volume.grid
    uneven = Volume(
        volume.hu[kept],
        Grid(
            grid.positions_lps[kept],
            grid.x_direction,
            grid.y_direction,
            grid.spacing_yx,
            (len(kept), *grid.shape[1:]),
        ),
        replace(
            volume.source,
            sop_instance_uids=tuple(volume.source.sop_instance_uids[k] for k in kept),
        ),
    )
    found = network(tmp_path / "n")
    for exact in (False, True):
        organs = ImportedOrgans(uneven, found, {}, exact=exact)
        truth = sphere(volume, "Parotid_L")[kept]
        assert dice(full(organs, "Parotid_L"), truth) > 0.95


def test_one_side_of_a_label(volume: Volume, tmp_path: Path) -> None:
    """A label for both organs of a pair is divided at the patient's middle."""
    contours = (
        OrganLabels(organ="Parotid_L", labels=(LEFT, RIGHT), side="left"),
        OrganLabels(organ="Parotid_R", labels=(LEFT, RIGHT), side="right"),
    )
    organs = ImportedOrgans(volume, network(tmp_path / "n", contours=contours), {})
    for organ in CENTRES:
        assert dice(full(organs, organ), sphere(volume, organ)) > 0.97


def test_only_the_largest_component_stays(tmp_path: Path) -> None:
    volume = sphere_volume(CENTRES, RADIUS)
    volume.hu[2:6, 10:16, 10:16] = 100.0
    for rules, components in (((), 2), ((LargestComponent(labels=(LEFT,)),), 1)):
        found = network(tmp_path / str(components), postprocessing=rules)
        mask = full(ImportedOrgans(volume, found, {}), "Parotid_L")
        assert bool(mask[4, 13, 13]) == (components == 2)


def test_specks_do_not_widen_a_field(volume: Volume, tmp_path: Path) -> None:
    """A few voxels far away would make the field as large as the CT; a lesser part stays."""
    volume.hu[4:6, 10:13, 10:13] = 100.0
    found = network(tmp_path / "n")
    assert min(ImportedOrgans(volume, found, {}).field("Parotid_L").offset) > 15
    volume.hu[2:10, 6:20, 6:20] = 100.0
    mask = full(ImportedOrgans(volume, found, {}), "Parotid_L")
    assert mask[6, 13, 13]
    assert mask[30, 69, 120]


def present(organ: str, volume: Volume) -> Localization:
    return Localization(organ, True, 1.0, CENTRES[organ], (24.0, 24.0, 24.0), (20, 40))


def test_where_a_network_runs(volume: Volume, tmp_path: Path) -> None:
    card = network(tmp_path / "n").card
    known = {organ: present(organ, volume) for organ in CENTRES}
    (_, _), (y_low, y_high), (x_low, x_high) = search_bounds(volume.grid, card, known)
    assert (x_low, x_high) == pytest.approx((80 - 41 - 12 - 20, 80 + 40 + 12 + 20))
    assert (y_low, y_high) == pytest.approx((64 + 5 - 12 - 20, 64 + 5 + 12 + 20))
    whole = ((-1.0, 119.0), (-0.5, 127.5), (-0.5, 159.5))
    some = {"Parotid_L": known["Parotid_L"]}
    assert search_bounds(volume.grid, card, some) == whole
    crop = card.model_copy(update={"crop": CropRule(organs=("Parotid_L",), margin_mm=5)})
    assert search_bounds(volume.grid, crop, some)[2] == pytest.approx((120 - 17, 120 + 17))
    assert search_bounds(volume.grid, crop, {}) == whole


def test_an_organ_beyond_the_box_is_clipped(volume: Volume, tmp_path: Path) -> None:
    short = replace(present("Parotid_L", volume), centroid_lps=(8.0, 5.0, 3.0))
    localizations = {"Parotid_L": short, "Parotid_R": Localization("Parotid_R", False, 0.0)}
    field = ImportedOrgans(volume, network(tmp_path / "n"), localizations).field("Parotid_L")
    assert field.mask.any()
    assert field.clipped


def test_the_network_runs_once(volume: Volume, tmp_path: Path) -> None:
    organs, tiles = ImportedOrgans(volume, network(tmp_path / "n"), {}), []
    for organ in (*CENTRES, *CENTRES):
        organs.field(organ, lambda: tiles.append(1))
    first = len(tiles)
    organs.field("Parotid_L", lambda: tiles.append(1))
    assert len(tiles) == first > 0


def test_a_box_runs_fewer_tiles(volume: Volume, tmp_path: Path) -> None:
    found = network(tmp_path / "n", patch=(8, 16, 16))
    counts = []
    left = {"Parotid_L": present("Parotid_L", volume), "Parotid_R": Localization("", False, 0.0)}
    for localizations in ({}, left):
        count = iter(range(1000))
        ImportedOrgans(volume, found, localizations).field("Parotid_L", partial(next, count))
        counts.append(next(count))
    assert counts[1] < counts[0] / 2


def test_another_orientation_swaps_the_sides(volume: Volume, tmp_path: Path) -> None:
    """A network that knows sides by their place only: read with x reversed, it swaps them."""
    found = network(tmp_path / "n", network=Halves(), spacing_mm=(2.0, 1.7, 5.0))
    straight = ImportedOrgans(volume, found, {})
    turned = ImportedOrgans(volume, found, {}, orientation="RPS")
    assert dice(full(straight, "Parotid_L"), full(turned, "Parotid_R")) > 0.9


def test_the_segmenter_uses_an_imported_network(volume: Volume, tmp_path: Path) -> None:
    models = save_models(tmp_path / "models")
    shutil.rmtree(models / "Parotid_L")
    card = write_imported(models / "elsewhere")
    store = ModelStore.open(models)
    segmenter = Segmenter(volume, find_organs(volume, store), store, shifts=True)
    found = {organ: segmenter.segment(organ) for organ in CENTRES}
    assert {item.status for item in found.values()} == {Status.SEGMENTED}
    assert found["Parotid_L"].model == card.identity
    assert found["Parotid_R"].model is not None
    assert found["Parotid_R"].model.name == "test/Parotid_R"
    assert card in segmenter.networks
    left = found["Parotid_L"].field
    assert left is not None
    assert dice(left.full_mask(volume.grid.shape), sphere(volume, "Parotid_L")) > 0.97


def test_the_card_chooses_exact_labels_through_the_chain(volume: Volume, tmp_path: Path) -> None:
    """The contour is then nnU-Net's label, voxel by voxel, with its mirroring."""
    models = save_models(tmp_path / "models")
    shutil.rmtree(models / "Parotid_L")
    write_imported(models / "elsewhere", mode="exact", mirror_axes=(0, 2))
    store = ModelStore.open(models)
    card = store.card("Parotid_L")
    assert isinstance(card, ImportedCard)
    found = Segmenter(volume, find_organs(volume, store), store).segment("Parotid_L").field
    assert found is not None
    expected = exact_labels(volume.hu, volume.grid, store.imported(card)) == LEFT
    assert np.array_equal(found.full_mask(volume.grid.shape), expected)
    assert set(np.unique(found.values)) <= {0.0, 1.0}


def test_an_imported_organ_that_the_localizer_misses_is_absent(tmp_path: Path) -> None:
    models = save_models(tmp_path / "models")
    shutil.rmtree(models / "Parotid_L")
    write_imported(models / "elsewhere")
    store = ModelStore.open(models)
    volume = sphere_volume({"Parotid_R": CENTRES["Parotid_R"]})
    segmenter = Segmenter(volume, find_organs(volume, store), store)
    assert segmenter.segment("Parotid_L").status is Status.ABSENT


def test_an_imported_network_keeps_the_time_limit(volume: Volume, tmp_path: Path) -> None:
    models = save_models(tmp_path / "models")
    shutil.rmtree(models / "Parotid_L")
    write_imported(models / "elsewhere")
    store = ModelStore.open(models)
    segmenter = Segmenter(volume, find_organs(volume, store), store)
    late = segmenter.segment("Parotid_L", deadline=0.0)
    assert late.status is Status.FAILED
    assert [flag.code for flag in late.flags] == ["ORGAN_TIME_LIMIT"]
