"""The shell commands of the tutorials, run in order as a reader runs them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from oarflow.networks.card import read_card

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
PATIENTS = ("1", "3", "5", "6", "9", "11", "15", "17", "18", "21", "24", "27")
"""OpenKBP's training patients for the tutorial on training: nine fit, three tune."""


def commands(page: str) -> str:
    """All shell blocks of a page as one script that stops at the first failure."""
    text = (TUTORIALS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    assert blocks
    assert len(blocks) == text.count("```sh")
    return "set -euo pipefail\n" + "\n".join(blocks)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like the checkout, with `out` and `models` of its own.

    A tutorial that writes into its networks must not reach the shipped ones.
    """
    for entry in ROOT.iterdir():
        if entry.name not in {"out", "models", ".git", ".pytest_cache"}:
            (tmp_path / entry.name).symlink_to(entry)
    shutil.copytree(ROOT / "models", tmp_path / "models")
    return tmp_path


def environment() -> dict[str, str]:
    """Without what `make test ARGS=...` passes on: the tutorial calls make, too."""
    mine = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL", "ARGS")
    return {name: value for name, value in os.environ.items() if name not in mine}


def run(script: str, folder: Path) -> str:
    """What the script prints."""
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment() | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_first_ct(checkout: Path) -> None:
    told = run(commands("first-ct.md"), checkout)
    assert (checkout / "out" / "sample" / "report.html").is_file()
    parotids = json.loads((checkout / "out" / "parotids" / "result.json").read_text())
    assert [organ["name"] for organ in parotids["organs"]] == ["Parotid_L", "Parotid_R"]
    assert "exit status 3" in told
    refused = json.loads((checkout / "out" / "refused" / "result.json").read_text())
    assert refused["refusal"]["code"] == "MISSING_SLICE"
    assert not list((checkout / "out" / "refused").glob("*.dcm"))


@pytest.mark.tutorials
def test_train_an_organ(checkout: Path, shared_data: Path) -> None:
    data = checkout / "DATA"
    data.mkdir()
    for number in PATIENTS:
        patient = f"pt_{number}.npz"
        shutil.copy(shared_data / "openkbp" / "train" / patient, data / patient)
    told = run(commands("train-an-organ.md"), checkout)
    assert "My data" in told
    assert (checkout / "out" / "runs" / "Parotid_L" / "validation.csv").is_file()
    shipped = read_card(ROOT / "models" / "Parotid_L" / "model.json")
    assert shipped.training.data != "My data"
    mine = json.loads((checkout / "out" / "mine" / "result.json").read_text())
    assert mine["organs"][0]["name"] == "Parotid_L"
    assert (checkout / "out" / "scores.csv").is_file()


@pytest.mark.tutorials
def test_node_with_orthanc(checkout: Path) -> None:
    for program in ("Orthanc", "storescu", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    script = commands("node-with-orthanc.md")
    script = re.sub(r"^sudo .*$", "", script, flags=re.M)
    script = re.sub(r"^(.* user put .*)$", r"echo 'tutorial password' | \1", script, flags=re.M)
    told = run(f"trap 'kill $(jobs -p) 2>/dev/null' EXIT\n{script}", checkout)
    assert "jane" in told
    assert "doubtful  alarm" in told
    assert told.count("doubtful") == 1
    assert '"Modality" : "RTSTRUCT"' in told
