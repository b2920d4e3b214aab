"""Which networks ran: those that gave an answer, coarse views and other organs' too."""

from __future__ import annotations

from pathlib import Path

from oarflow.networks.card import Channel, Region
from oarflow.networks.store import ModelStore
from oarflow.networks.watched import WatchedStore
from oarflow.segmentation.localizer import localize
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Localization
from tests.oarflow.chain import save_models, sphere_volume
from tests.oarflow.systems import WINDOW, Everywhere, Near, write_coarse_stage, write_model

CENTRES = {"Parotid_L": (40.0, 5.0, 0.0), "Parotid_R": (-42.0, 3.0, 4.0)}


def test_loaded_is_not_run(tmp_path: Path) -> None:
    """Parotid_R is absent: its network is not asked, and Parotid_L is not wanted at all."""
    store = ModelStore.open(save_models(tmp_path / "m"), device="cpu")
    watched = WatchedStore.of(store)
    volume = sphere_volume({"Parotid_L": CENTRES["Parotid_L"]})
    found = localize(volume, watched)
    assert list(watched.ran) == ["localizer"]
    segmenter = Segmenter(volume, found, watched)
    segmenter.segment("Parotid_R")
    assert list(watched.ran) == ["localizer"]
    segmenter.segment("Parotid_L")
    assert list(watched.ran) == ["localizer", "Parotid_L"]
    assert not WatchedStore.of(store).ran, "another study starts afresh"


def test_all_views_their_fusion_and_the_organ_looked_about(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    write_coarse_stage(folder, ("Parotid_L",), (100.0,))
    write_model(folder / "gland", Near((100.0,)), organs=("Parotid_L",))
    about = Region(source="organ", organ="Parotid_L", grow_mm=10.0)
    channels = (Channel(window=WINDOW),)
    organs = ("Mandible_Ramus_L",)
    write_model(folder / "ramus", Everywhere(), organs=organs, channels=channels, region_from=about)
    watched = WatchedStore.of(ModelStore.open(folder, device="cpu"))
    volume = sphere_volume(CENTRES)
    nowhere: dict[str, Localization] = {}
    localize(volume, watched)
    Segmenter(volume, nowhere, watched).segment("Mandible_Ramus_L")
    roles = {name: card.role.value for name, card in watched.ran.items()}
    assert roles == {
        "view_axial": "coarse view",
        "view_coronal": "coarse view",
        "view_sagittal": "coarse view",
        "fusion": "fusion",
        "gland": "segmenter",
        "ramus": "segmenter",
    }
