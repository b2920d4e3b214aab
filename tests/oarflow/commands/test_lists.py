"""Verbs that print what there is: organs, models, codes, config."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from oarflow.commands import main, parser
from oarflow.commands.flags import find_models
from oarflow.errors import Code, ConfigurationError
from oarflow.flags.codes import FlagCode
from oarflow.organs import load_catalogue
from oarflow.result import json_schema
from oarflow.run.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
MODELS = ROOT / "models"

Capture = pytest.CaptureFixture[str]


def said(capsys: Capture, *words: object) -> str:
    assert main(list(map(str, words))) == 0
    return capsys.readouterr().out


def test_organs_for_programs(capsys: Capture) -> None:
    rows = {row["name"]: row for row in json.loads(said(capsys, "organs", "--json"))}
    catalogue = load_catalogue(MODELS)
    assert set(rows) == set(catalogue.names)
    for organ in catalogue:
        assert {organ.name, *rows[organ.name]["aliases"]} == set(organ.names)
    figures: dict[str, tuple[str, float, int]] = {}
    for path in MODELS.glob("*/model.json"):
        card = json.loads(path.read_text())
        for organ in card["organs"] if card["role"] == "segmenter" else ():
            validation = card["validation"]
            dice = validation["figures"][organ]["dice_mean"]
            figures[organ] = (card["name"], dice, validation["n"][organ])
    found = {
        name: (network["name"], network["dice_mean"], network["n"])
        for name, row in rows.items()
        for network in row["networks"]
    }
    assert found == figures
    assert rows["Brain"]["networks"][0]["derived_labels"]
    assert not rows["Larynx"]["networks"][0]["derived_labels"]


def test_organs_for_people(capsys: Capture) -> None:
    lines = said(capsys, "organs").splitlines()
    larynx = next(line for line in lines if line.startswith("Larynx"))
    assert larynx.split() == ["Larynx", "oarflow/Larynx", "1.1.0", "0.584", "17"]
    brain = next(line for line in lines if line.startswith("Brain "))
    assert "0.963*" in brain
    eye = next(line for line in lines if line.startswith("Eye_L "))
    assert eye.split()[1:3] == ["none", "Eye,"]


def test_models_are_listed_and_described(capsys: Capture) -> None:
    listed = said(capsys, "models")
    for path in MODELS.glob("*/model.json"):
        name = path.parent.name
        assert f"\n{name} " in listed
        written = (ROOT / "docs" / "models" / f"{name}.md").read_text()
        assert said(capsys, "models", "show", name) == written
    assert said(capsys, "models", "show", "oarflow/Larynx").startswith("# oarflow/Larynx")
    assert set(json.loads(said(capsys, "models", "show", "Larynx", "--json"))) == {"Larynx"}


@pytest.mark.parametrize("words", [["show"], ["verify", "Larynx", "x"], ["import", "nnunet", "x"]])
def test_wrong_use_of_models(words: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["models", *words])
    assert capsys.readouterr().err.startswith("usage: oarflow ")


def test_an_unknown_network_is_not_shown(capsys: Capture) -> None:
    assert main(["models", "show", "Larinx"]) == 2
    assert capsys.readouterr().err.startswith("oarflow: USAGE: no network or rule 'Larinx'")


def test_models_are_verified(models: Path, tmp_path: Path, capsys: Capture) -> None:
    text = said(capsys, "models", "verify", "-m", models)
    assert text.count(": matches its card\n") == text.count("\n") == 3
    copy = tmp_path / "models"
    shutil.copytree(models, copy)
    with (copy / "Parotid_L" / "model.ts").open("ab") as file:
        file.write(b"x")
    (copy / "Parotid_R" / "model.ts").unlink()
    assert main(["models", "verify", "-m", str(copy)]) == 1
    verdicts = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert verdicts["localizer"] == "matches its card"
    assert verdicts["Parotid_L"].startswith("WRONG: MODEL_HASH: ")
    assert verdicts["Parotid_R"].startswith("WRONG: MODEL_MISSING: ")


def test_models_are_verified_against_the_trusted_ones(
    models: Path, tmp_path: Path, capsys: Capture
) -> None:
    config = tmp_path / "app.yaml"
    trusted = json.loads((models / "localizer" / "model.json").read_text())["sha256"]
    config.write_text(f"trusted_models: [{trusted}]\n")
    assert main(["models", "verify", "-m", str(models), "-c", str(config)]) == 1
    assert capsys.readouterr().out.count("WRONG: MODEL_HASH") == 2


def test_codes(capsys: Capture) -> None:
    table = said(capsys, "codes")
    assert all(code in table for code in Code)
    assert all(code in said(capsys, "codes", "--flags") for code in FlagCode)


def test_config(tmp_path: Path, capsys: Capture) -> None:
    config = tmp_path / "app.yaml"
    config.write_text("label: SITE\noutputs: {seg: true}\n")
    words = ("config", "-c", config, "--set", "outputs.report_pdf=true", "--set", "label=OTHER")
    printed = yaml.safe_load(said(capsys, *words))
    expected = Settings().model_dump(mode="json")
    expected["label"] = "OTHER"
    expected["outputs"] |= {"seg": True, "report_pdf": True}
    assert printed == expected
    assert said(capsys, "config", "schema") == json_schema()


@pytest.mark.parametrize("verb", ["evaluate chain", "commission", "data report x -o y"])
def test_networks_are_looked_for_where_segment_does(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLOSCAN_MODEL_PATH", str(tmp_path))
    flags = parser(verb.split(maxsplit=1)[0]).parse_args(verb.split())
    find_models(flags)
    assert flags.models == tmp_path.resolve()


def test_a_models_folder_that_is_named_must_be_there(tmp_path: Path) -> None:
    flags = parser("data").parse_args(["data", "report", "x", "-o", "y", "-m", str(tmp_path / "n")])
    with pytest.raises(ConfigurationError, match="is not a folder"):
        find_models(flags)
