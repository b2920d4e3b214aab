"""mercure, the Workflow Manager and others start the image, each with its own folders, variables
and user; nothing is left for a host that ignores exit statuses."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from tests.deploy.map_package.imitation import ENTRYPOINT, Container, needs_root, open_folder, run

pytestmark = needs_root

MODELS = "/opt/holoscan/models"
DONE = ["result.json", "rtstruct.dcm"]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return open_folder(tmp_path / "out folder")


@pytest.fixture
def flat(ct: Path, tmp_path: Path) -> Path:
    """What mercure receives: a flat folder with its own files beside the DICOM."""
    folder = tmp_path / "mercure in"
    shutil.copytree(ct, folder)
    (folder / "task.json").write_text("{}")
    for path in list(folder.glob("*.dcm"))[:3]:
        path.with_suffix(".tags").write_text("{}")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


MERCURE = {
    "MERCURE_IN_DIR": "/tmp/data",
    "MERCURE_OUT_DIR": "/tmp/output",
    "MONAI_INPUTPATH": "/tmp/data",
    "MONAI_OUTPUTPATH": "/tmp/output",
    "HOLOSCAN_INPUT_PATH": "/tmp/data",
    "HOLOSCAN_OUTPUT_PATH": "/tmp/output",
}
NOMAD = {name: MERCURE[name] for name in ("MERCURE_IN_DIR", "MERCURE_OUT_DIR")}


@pytest.mark.parametrize("variables", [MERCURE, NOMAD], ids=["docker", "nomad"])
def test_mercure(
    variables: dict[str, str],
    laid_out: Path,
    flat: Path,
    models: Path,
    *,
    out: Path,
    tmp_path: Path,
) -> None:
    """The image's entrypoint, mercure's user, both folders below /tmp."""
    mounts = {"/tmp/data": flat, "/tmp/output": out, MODELS: models}
    container = Container((), mounts, variables, "1010:1010")
    ran = run(laid_out, tmp_path, container)
    assert ran.returncode == 0, ran.stderr
    assert names(out) == DONE
    files = json.loads((out / "result.json").read_text())["files"]
    assert files["classes"] == {"ct_slice": 24, "not_dicom": 4}
    assert "SECRET" not in ran.stdout + ran.stderr


def test_mercure_in_its_map_mode(
    laid_out: Path, flat: Path, models: Path, out: Path, tmp_path: Path
) -> None:
    """The second tag: the manifest's command, split but given to no shell; the image's user."""
    manifest = json.loads((laid_out / "etc" / "holoscan" / "app.json").read_text())
    mounts = {"/tmp/data": flat, "/tmp/output": out, MODELS: models}
    command = shlex.split(manifest["command"])
    ran = run(laid_out, tmp_path, Container(command, mounts, MERCURE, "1000:0"))
    assert ran.returncode == 0, ran.stderr
    assert names(out) == DONE


def workflow_manager(out: Path, source: Path, models: Path, tmp_path: Path) -> Container:
    """Entrypoint and command of its samples, split at commas; variables of older packages; an
    empty folder over the working directory."""
    words = ("/bin/bash,-c", "python3 -u /opt/holoscan/app/")
    command = [word for part in words for word in part.split(",")]
    mounts = {
        "/var/monai/input": source,
        "/var/monai/output": out,
        "/var/holoscan": open_folder(tmp_path / "work"),
        MODELS: models,
    }
    variables = {
        "MONAI_INPUTPATH": "/var/monai/input",
        "MONAI_OUTPUTPATH": "/var/monai/output",
        "MONAI_WORKDIR": "/var/holoscan",
        "MONAI_MODELPATH": "/opt/monai/models/",
    }
    return Container(command, mounts, variables)


def test_workflow_manager(
    laid_out: Path, ct: Path, models: Path, out: Path, tmp_path: Path
) -> None:
    container = workflow_manager(out, ct, models, tmp_path)
    ran = run(laid_out, tmp_path, container)
    assert ran.returncode == 0, ran.stderr
    assert names(out) == DONE
    assert names(tmp_path / "work") == []


def test_workflow_manager_exports_nothing_after_a_refusal(
    laid_out: Path, ct: Path, models: Path, out: Path, tmp_path: Path
) -> None:
    """It takes any exit status for success, and exports what ends in .dcm."""
    broken = tmp_path / "broken"
    shutil.copytree(ct, broken)
    (broken / "CT.0010.dcm").unlink()
    ran = run(laid_out, tmp_path, workflow_manager(out, broken, models, tmp_path))
    assert ran.returncode == 3
    assert names(out) == ["result.json"]


def test_settings_beside_the_application_where_a_mount_hides_the_others(
    laid_out: Path, tmp_path: Path
) -> None:
    hidden = {"/var/holoscan": open_folder(tmp_path / "empty")}
    named = {"HOLOSCAN_CONFIG_PATH": "/var/holoscan/app.yaml"}
    ran = run(laid_out, tmp_path, Container((), hidden, named), "--print-config")
    assert ran.returncode == 0, ran.stderr
    assert "profile: generic" in ran.stdout


def test_paths_with_spaces_and_a_status_through_the_entrypoint(
    laid_out: Path, ct: Path, models: Path, out: Path, tmp_path: Path
) -> None:
    mounts = {"/tmp/the input": ct, "/tmp/the output": out, MODELS: models}
    container = Container(ENTRYPOINT, mounts)
    arguments = ("-i", "/tmp/the input", "-o", "/tmp/the output")
    assert run(laid_out, tmp_path, container, *arguments).returncode == 0
    assert names(out) == DONE
    again = run(laid_out, tmp_path, container, *arguments)
    assert again.returncode == 2
    assert "OUTPUT_IN_USE" in again.stderr
