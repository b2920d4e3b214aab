"""`oarflow models import totalsegmentator|cads` and `models recipes`, on folders of their form."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oarflow.commands import main
from oarflow.importing.recipes.recipe import ImportRecipe, programs, read_recipes
from oarflow.networks.cards import read_any_card
from oarflow.networks.imported.card import ImportedCard, SplineResampling
from tests.oarflow.chain import save_models
from tests.oarflow.importing.recipes.stand_ins import write_stand_in

ROOT = Path(__file__).resolve().parents[4]
RECIPES = [recipe for key in programs() for recipe in read_recipes(key).values()]
GLANDS = read_recipes("totalsegmentator")[775]
STRUCTURES = read_recipes("totalsegmentator")[409]
HANSEG = read_recipes("cads")[558]
NUMBER = "aca_0123456789ABCD"
VARIABLES = ("TOTALSEG_WEIGHTS_PATH", "TOTALSEG_HOME_DIR", "CADS_WEIGHTS_PATH")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with a localizer and both parotids. No orientation is asked for a proof."""
    monkeypatch.setattr(
        "oarflow.importing.recipes.converting.with_proof",
        lambda card, content, ct, *, known_recipe: card if known_recipe else None,
    )
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = save_models(tmp_path / "models")
    shutil.copy(ROOT / "models" / "organs.yaml", folder)
    return folder


def run(models: Path, recipe: ImportRecipe, *more: str, task: str = "") -> int:
    task = task or str(recipe.number)
    return main(["models", "import", recipe.key, task, "-m", str(models), *more])


def card_of(models: Path, recipe: ImportRecipe) -> ImportedCard:
    card = read_any_card(models / recipe.name / "model.json")
    assert isinstance(card, ImportedCard)
    return card


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_imports_a_folder_of_its_form(
    recipe: ImportRecipe, models: Path, tmp_path: Path
) -> None:
    variant = "research" if recipe.key == "cads" else ""
    write_stand_in(tmp_path / "weights", recipe, variant)
    number = ("--licence-number", NUMBER) if recipe.number == 409 else ()
    assert run(models, recipe, "--weights", str(tmp_path / "weights"), *number) == 0
    card = card_of(models, recipe)
    assert tuple(card.labels.values()) == recipe.labels
    by_organ = {contour.organ: contour for contour in card.contours}
    assert set(by_organ) == set(recipe.organs)
    for organ, given in recipe.sided.items():
        names = [card.labels[label] for label in by_organ[organ].labels]
        assert (names, by_organ[organ].side) == (list(given.labels), given.side)
    assert card.orientation == "RAS"
    assert card.orientation_proof == "unproven"
    assert card.spacing_mm == recipe.spacing_mm
    assert card.folds == (("all",) if recipe.key == "cads" else ("0",))
    image = card.image_resampling
    assert (image.order, image.align) == (3 if recipe.key == "cads" else 1, "corners")
    assert card.logits_resampling == SplineResampling(order=0, align="corners")
    assert (card.resampled, card.mirror_axes) == ("whole hu", ())
    assert card.step == (0.8 if 291 <= recipe.number <= 295 else 0.5)
    assert card.crop == recipe.crop
    expected = {"cads": ("CC BY-NC-SA 4.0", "no")}.get(recipe.key, ("Apache-2.0", "yes"))
    if recipe.number == 409:
        expected = ("TotalSegmentator licence, licence number stated", "unknown")
    assert (card.source.licence, card.source.commercial) == expected


def test_one_command_imports_all_networks_of_a_task(
    models: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [read_recipes("totalsegmentator")[number] for number in (778, 779)]
    home = tmp_path / "home" / ".totalsegmentator" / "nnunet" / "results"
    write_stand_in(home, parts[0])
    assert run(models, parts[0], task="headneck_muscles") == 3
    error = capsys.readouterr().err
    assert "Dataset779_headneck_muscles_part2_492subj" in error
    assert "`totalseg_download_weights -t headneck_muscles`" in error
    assert not (models / parts[0].name).exists()
    write_stand_in(home, parts[1])
    assert run(models, parts[0], task="headneck_muscles") == 0
    assert {path.name for path in models.glob("totalsegmentator_*")} == {p.name for p in parts}


@pytest.mark.parametrize(
    ("variable", "below"),
    [("TOTALSEG_WEIGHTS_PATH", ""), ("TOTALSEG_HOME_DIR", "nnunet/results")],
)
def test_the_programs_variables_name_the_weights(
    variable: str, below: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_stand_in(tmp_path / "kept" / below, GLANDS)
    monkeypatch.setenv(variable, str(tmp_path / "kept"))
    assert run(models, GLANDS) == 0


def test_organs_of_other_networks_stay_theirs(
    models: Path, tmp_path: Path, capsys: Capture
) -> None:
    """A shipped network keeps its organ; an imported one keeps it, and the recipe leaves it out."""
    write_stand_in(tmp_path / "weights", HANSEG, "open")
    write_stand_in(tmp_path / "weights", GLANDS)
    weights = ("--weights", str(tmp_path / "weights"))
    assert run(models, HANSEG, *weights) == 0
    assert "not used: Parotid_L contours it" in capsys.readouterr().out
    assert run(models, GLANDS, *weights) == 0
    said = capsys.readouterr().out
    assert "left out, because imported networks contour them: Eye_L (cads_558)" in said
    organs = set(card_of(models, GLANDS).organs)
    assert not organs & set(HANSEG.organs)
    assert {"Lens_L", "Lens_R", "Nasopharynx"} <= organs
    assert run(models, GLANDS, *weights) == 3
    assert "totalsegmentator_775 exists" in capsys.readouterr().err


def test_a_licensed_task_needs_a_number_that_is_not_kept(
    models: Path, tmp_path: Path, capsys: Capture
) -> None:
    write_stand_in(tmp_path / "weights", STRUCTURES)
    weights = ("--weights", str(tmp_path / "weights"))
    assert run(models, STRUCTURES, *weights) == 3
    assert "needs a licence number of TotalSegmentator" in capsys.readouterr().err
    assert run(models, STRUCTURES, *weights, "--licence-number", "no number") == 3
    assert "no number" not in capsys.readouterr().err
    assert run(models, STRUCTURES, *weights, "--licence-number", NUMBER) == 0
    said = capsys.readouterr()
    assert NUMBER not in said.out + said.err
    assert NUMBER not in (models / STRUCTURES.name / "model.json").read_text()


def write_old_folder(root: Path) -> None:
    write_stand_in(root, GLANDS, folder="Dataset775_head_glands_cavities_100subj")


def write_old_trainer(root: Path) -> None:
    trained = "nnUNetTrainer__nnUNetPlans__3d_fullres_high"
    write_stand_in(root, GLANDS, trained=trained)


def write_other_order(root: Path) -> None:
    right, left, *others = GLANDS.labels
    write_stand_in(root, GLANDS, labels=(left, right, *others))


def write_other_organ(root: Path) -> None:
    write_stand_in(root, GLANDS, labels=("Larynx", *GLANDS.labels[1:]))


def write_fewer_labels(root: Path) -> None:
    write_stand_in(root, GLANDS, labels=GLANDS.labels[:-1])


def write_other_voxels(root: Path) -> None:
    write_stand_in(root, GLANDS, spacing_mm=(1.5, 1.5, 1.5))


def write_other_fold(root: Path) -> None:
    write_stand_in(root, GLANDS, fold="1")


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (write_old_folder, "100subj is not of TotalSegmentator 2.18.0"),
        (write_old_trainer, "whose weights are in nnUNetTrainer_DASegOrd0_NoMirroring__"),
        (write_other_order, "label 1 is 'eye_right' instead of 'eye_left'"),
        (write_other_organ, "label 1 is 'Larynx' instead of 'eye_left'"),
        (write_fewer_labels, "it has 18 labels instead of 19"),
        (write_other_voxels, "1.5 x 1.5 x 1.5 mm instead of 1 x 0.75 x 0.75 mm"),
        (write_other_fold, "there is no fold 0"),
    ],
)
def test_another_version_is_refused_with_what_to_do(
    write: Callable[[Path], None], said: str, models: Path, tmp_path: Path, capsys: Capture
) -> None:
    write(tmp_path / "weights")
    assert run(models, GLANDS, "--weights", str(tmp_path / "weights")) == 3
    error = capsys.readouterr().err
    assert said in error
    if write is not write_other_fold:
        assert "fetch" in error
        assert "`totalseg_download_weights -t head_glands_cavities`" in error
    assert not (models / GLANDS.name).exists()


def test_other_names_of_the_same_labels_are_a_remark(
    models: Path, tmp_path: Path, capsys: Capture
) -> None:
    labels = ("structure 1", *GLANDS.labels[1:])
    write_stand_in(tmp_path / "weights", GLANDS, labels=labels)
    assert run(models, GLANDS, "--weights", str(tmp_path / "weights")) == 0
    assert "1 'structure 1' for eye_left" in capsys.readouterr().out


def test_missing_weights_name_the_command_that_fetches_them(models: Path, capsys: Capture) -> None:
    assert run(models, GLANDS) == 3
    assert "`totalseg_download_weights -t head_glands_cavities`" in capsys.readouterr().err
    assert run(models, HANSEG) == 3
    error = capsys.readouterr().err
    assert "CADS_WEIGHTS_PATH" in error
    assert "-task 558 -license reference`" in error
    assert run(models, HANSEG, "--weights", "/nowhere", "--variant", "research") == 3
    assert "-task 558 -license research`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variants", "more", "licence"),
    [
        (["open"], [], "CC BY-SA 4.0"),
        ([""], [], "CADS customized model license"),
        (["open", "research"], ["--variant", "research"], "CC BY-NC-SA 4.0"),
        (["open", "research"], [], None),
    ],
    ids=["one", "unsorted", "chosen", "several"],
)
def test_the_licence_is_that_of_the_variant(
    variants: list[str],
    more: list[str],
    licence: str | None,
    models: Path,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    for variant in variants:
        write_stand_in(tmp_path / "weights", HANSEG, variant)
    status = run(models, HANSEG, "--weights", str(tmp_path / "weights"), *more)
    if licence is None:
        assert status == 3
        assert "choose one of research, open with --variant" in capsys.readouterr().err
    else:
        assert status == 0
        assert card_of(models, HANSEG).source.licence == licence


def test_the_list_says_what_is_present(
    models: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_stand_in(tmp_path / "weights", GLANDS)
    write_stand_in(tmp_path / "weights", HANSEG, "open")
    write_stand_in(tmp_path / "weights", STRUCTURES, folder="Dataset409_neuro_1subj")
    for variable in VARIABLES:
        monkeypatch.setenv(variable, str(tmp_path / "weights"))
    assert run(models, GLANDS) == 0
    capsys.readouterr()
    assert main(["models", "recipes", "-m", str(models), "--json"]) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert len(rows) == len(RECIPES)
    by_number = {(row["program"], row["number"]): row for row in rows}
    glands = by_number["totalsegmentator", 775]
    assert (glands["weights"], glands["imported"]) == ("present", True)
    assert glands["organs"] == list(GLANDS.organs)
    assert list(by_number["cads", 558]["folders"]) == ["open"]
    structures = by_number["totalsegmentator", 409]
    assert (structures["weights"], structures["licence_number"]) == ("unusable", True)
    assert "is not of TotalSegmentator 2.18.0" in structures["problem"]
    assert by_number["totalsegmentator", 776]["weights"] == "missing"
    assert main(["models", "recipes", "-m", str(models)]) == 0
    said = capsys.readouterr().out
    assert "head_glands_cavities" in said
    assert "Glnd_Submand_L" in said.replace("\n", "")
