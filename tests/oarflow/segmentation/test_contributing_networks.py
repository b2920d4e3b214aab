"""Which networks contributed: those that were asked, coarse views and other organs' too."""

from __future__ import annotations

from pathlib import Path

from oarflow.networks.card import Channel, InputRegion
from oarflow.networks.store import ModelStore
from oarflow.segmentation.localizer import localize
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Localization
from tests.oarflow.chain import save_models, sphere_volume
from tests.oarflow.systems import WINDOW, Everywhere, Near, write_coarse_stage, write_model

CENTRES = {"Parotid_L": (40.0, 5.0, 0.0), "Parotid_R": (-42.0, 3.0, 4.0)}


def test_a_network_that_is_not_asked_does_not_contribute(tmp_path: Path) -> None:
    """Parotid_R is absent: its network is not asked, and Parotid_L's only once it is wanted."""
    store = ModelStore.open(save_models(tmp_path / "m"), device="cpu")
    volume = sphere_volume({"Parotid_L": CENTRES["Parotid_L"]})
    segmenter = Segmenter(volume, localize(volume, store), store)
    segmenter.segment("Parotid_R")
    assert segmenter.networks == ()
    segmenter.segment("Parotid_L")
    assert segmenter.networks == (store.card("Parotid_L"),)
    assert Segmenter(volume, {}, store).networks == (), "another study starts afresh"


def test_all_views_their_fusion_and_the_organ_started_from(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    write_coarse_stage(folder, ("Parotid_L",), (100.0,))
    write_model(folder / "gland", Near((100.0,)), organs=("Parotid_L",))
    about = InputRegion(source="organ", organ="Parotid_L", grow_mm=10.0)
    channels = (Channel(window=WINDOW),)
    organs = ("Mandible_Ramus_L",)
    write_model(folder / "ramus", Everywhere(), organs=organs, channels=channels, region_from=about)
    store = ModelStore.open(folder, device="cpu")
    localizing = {name for name, card in store.cards.items() if card in store.localizing_cards}
    assert localizing == {"view_axial", "view_coronal", "view_sagittal", "fusion"}
    nowhere: dict[str, Localization] = {}
    segmenter = Segmenter(sphere_volume(CENTRES), nowhere, store)
    segmenter.segment("Mandible_Ramus_L")
    assert segmenter.networks == (store.cards["gland"], store.cards["ramus"])
