"""Validation figures on cards and their pages."""

from __future__ import annotations

from pathlib import Path

from oarflow.networks.store import ModelStore
from oarflow.training.export.cards import record_validation, write_pages
from tests.oarflow.training.fit_and_export import fit_and_export
from tests.oarflow.training.patients import small


def test_validation_figures_reach_card_and_page(tmp_path: Path) -> None:
    models = tmp_path / "models"
    fit_and_export(small(steps=1), tmp_path / "work", models)
    scores = tmp_path / "scores.csv"
    scores.write_text(
        "case,organ,dice,hd95_mm\na,Parotid_L,0.5,4\nb,Parotid_L,0.9,inf\nc,Parotid_L,0.7,6\n"
    )
    record_validation(scores, models, "three made-up patients")
    validation = ModelStore.open(models, device="cpu").card("Parotid_L").validation
    assert validation is not None
    assert validation.n == {"Parotid_L": 3}
    assert validation.figures["Parotid_L"] == {
        "dice_mean": 0.7,
        "dice_median": 0.7,
        "dice_sd": 0.2,
        "dice_min": 0.5,
        "hd95_mm_median": 5.0,
    }
    write_pages(models, tmp_path / "pages")
    page = (tmp_path / "pages" / "Parotid_L.md").read_text()
    assert "| Parotid_L | 3 | 0.700 | 0.700 | 0.200 | 0.500 | 5.000 |" in page


def test_a_table_of_several_sources_gives_oarflows_own_figures(tmp_path: Path) -> None:
    models = tmp_path / "models"
    fit_and_export(small(steps=1), tmp_path / "work", models)
    scores = tmp_path / "experts.csv"
    scores.write_text(
        "patient,organ,source,dice,hd95_mm\n"
        "a,Parotid_L,OARflow,0.5,4\na,Parotid_L,clinic,0.1,9\na,Parotid_L,second expert,0.9,1\n"
    )
    record_validation(scores, models, "one made-up patient")
    validation = ModelStore.open(models, device="cpu").card("Parotid_L").validation
    assert validation is not None
    assert validation.n == {"Parotid_L": 1}
    assert validation.figures["Parotid_L"]["dice_mean"] == 0.5
