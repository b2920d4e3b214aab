"""Two networks an organ beside the reference and beside each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oarflow.networks.store import ModelStore
from oarflow.structures import ProbabilityField, Segmentation, Status
from oarflow.training.tuning.two_networks import two_network_dice
from tests.oarflow.training.fit_and_export import fit_and_export
from tests.oarflow.training.patients import ORGANS, patient, small


@pytest.mark.parametrize("organs", [ORGANS, ("Parotid_R",)])
def test_two_networks_are_held_against_the_reference_and_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, organs: tuple[str, ...]
) -> None:
    for seed in (1, 2):
        fit_and_export(
            small(steps=1, seed=seed), tmp_path / f"work{seed}", tmp_path / f"models{seed}"
        )
    first, second = (ModelStore.open(tmp_path / f"models{seed}", device="cpu") for seed in (1, 2))
    truth = patient(99).masks["Parotid_L"]
    half = truth.copy()
    half[:, :, truth.any(axis=(0, 1)).argmax() + 3 :] = False
    fields = {first: truth.astype(np.float32), second: half * np.float32(0.6)}

    class Said:
        def __init__(self, case: object, store: ModelStore, places: object) -> None:
            self.field = ProbabilityField(fields[store], (0, 0, 0), 0.5)

        def segment(self, organ: str) -> Segmentation:
            return Segmentation(organ, Status.SEGMENTED, self.field)

    monkeypatch.setattr(
        "oarflow.training.tuning.two_networks.find_organs", lambda volume, store, also: {}
    )
    monkeypatch.setattr("oarflow.training.tuning.two_networks.segmenter_of", Said)
    found = dict(two_network_dice(patient(99, organs), first, second))
    if "Parotid_L" not in organs:
        assert found == {}
        return
    share = 2 * half.sum() / (half.sum() + truth.sum())
    agreement = found["Parotid_L"]
    assert (agreement.first, agreement.mean) == (1.0, 1.0)
    assert agreement.second == agreement.each_other == pytest.approx(share)
