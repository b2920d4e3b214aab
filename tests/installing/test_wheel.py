"""The wheel: what is in it, and what it does in an empty environment outside the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from email.parser import Parser
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

import oarflow
from tests.requirements import ROOT

SAMPLE = ROOT / "samples" / "openkbp_validation"
DATA = "oarflow/data"
NOT_CORE = (
    "app",
    "datasets",
    "holoscan",
    "matplotlib",
    "monai",
    "pynetdicom",
    "SimpleITK",
    "skimage",
)
VOLUME_TOLERANCE = 0.02
"""Relative: networks round differently on other processors."""

CONTOUR = """
import json, sys
import oarflow

result = oarflow.contour(sys.argv[1])
result.save(sys.argv[2])
found = {n: [o.status, o.volume_cc, int(o.mask.sum())] for n, o in result.items()}
print(json.dumps(found))
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built with the hatchling that is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def files(folder: Path) -> set[str]:
    """Files below a folder, relative to it, without what Python writes there."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_only_top_level_package_is_oarflow(names: set[str]) -> None:
    tops = {PurePosixPath(name).parts[0] for name in names}
    assert tops == {"oarflow", f"oarflow-{oarflow.__version__}.dist-info"}
    assert not [name for name in names if "tests" in PurePosixPath(name).parts]


def test_the_package_is_whole(names: set[str]) -> None:
    assert "oarflow/py.typed" in names
    package = {name.removeprefix("oarflow/") for name in names if name.startswith("oarflow/")}
    assert {name for name in package if not name.startswith("data/")} == files(ROOT / "oarflow")


@pytest.mark.parametrize("folder", ["models", "samples/openkbp_validation"])
def test_networks_catalogue_and_sample_are_in_it(folder: str, names: set[str]) -> None:
    there = {
        name.removeprefix(f"{DATA}/{folder}/")
        for name in names
        if name.startswith(f"{DATA}/{folder}/")
    }
    assert len(there) > 10
    assert there == files(ROOT / folder)


@pytest.mark.parametrize("file", ["app.yaml", "models/organs.yaml"])
def test_settings_and_catalogue_are_the_checkout_s(file: str, wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        assert archive.read(f"{DATA}/{file}") == (ROOT / file).read_bytes()


def test_the_version_has_one_source(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        metadata = f"oarflow-{oarflow.__version__}.dist-info/METADATA"
        facts = Parser().parsestr(archive.read(metadata).decode())
        points = archive.read(metadata.replace("METADATA", "entry_points.txt")).decode()
    assert facts["Version"] == oarflow.__version__
    assert "oarflow = oarflow.commands:main" in points
    extras = facts.get_all("Provides-Extra")
    assert {"monai-deploy", "node", "train", "evaluate", "sitk", "all"} <= set(extras or ())


# --- installed alone: make wheel-test ----------------------------------------------------------


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A program in an environment that knows nothing of the checkout."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "VIRTUAL_ENV", "OARFLOW", "HOLOSCAN", "MONAI"))
    }
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**kept, "HOME": str(cwd), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment that holds the core alone.

    torch comes first and alone, as in the Makefile.
    """
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    programs = folder / "venv" / "bin"
    requirements = ROOT / "requirements"
    lock = ["-c", str(requirements / "lock.txt")]
    index = os.environ.get("TORCH_INDEX")
    chosen = ["--index-url", index] if index else [*lock, "-c", str(requirements / "torch.txt")]
    (torch,) = (
        line
        for line in (requirements / "lock.txt").read_text(encoding="utf-8").splitlines()
        if line.startswith("torch==")
    )
    for words in (["install", *chosen, torch], ["install", *lock, str(wheel)], ["check"]):
        pip = [str(programs / "python"), "-m", "pip", "-q", *words]
        done = subprocess.run(pip, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return programs


@pytest.mark.wheel
def test_the_core_comes_alone_and_from_site_packages(environment: Path, tmp_path: Path) -> None:
    script = (
        "import importlib.util, sys, oarflow; "
        "print(oarflow.__file__, [n for n in sys.argv[1:] if importlib.util.find_spec(n)])"
    )
    done = run(environment / "python", "-c", script, *NOT_CORE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    place, found = done.stdout.strip().split(" ", 1)
    assert Path(place).is_relative_to(environment.parent)
    assert found == "[]"


@pytest.mark.wheel
def test_the_core_contours_the_sample_from_python(environment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(environment / "python", "-c", CONTOUR, SAMPLE / "ct", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    expected = json.loads((SAMPLE / "expected" / "result.json").read_text(encoding="utf-8"))
    assert set(found) == {organ["name"] for organ in expected["organs"]}
    for organ in expected["organs"]:
        status, volume_cc, voxels = found[organ["name"]]
        assert status == organ["status"]
        assert volume_cc == pytest.approx(organ["volume_cc"], rel=VOLUME_TOLERANCE)
        assert (voxels > 0) == (volume_cc > 0)
    assert {"rtstruct.dcm", "result.json"} <= {path.name for path in out.iterdir()}


@pytest.mark.wheel
def test_the_core_contours_a_ct_by_command(environment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(environment / "oarflow", "segment", SAMPLE / "ct", "-o", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir()} == {"rtstruct.dcm", "result.json"}


@pytest.mark.wheel
def test_the_self_test_passes(environment: Path, tmp_path: Path) -> None:
    done = run(environment / "oarflow", "self-test", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "self-test passed" in done.stdout


@pytest.mark.wheel
@pytest.mark.parametrize(
    ("words", "extra"), [(("node", "doctor"), "node"), (("train", "systems"), "train")]
)
def test_a_verb_names_the_extra_that_it_lacks(
    words: tuple[str, ...], extra: str, environment: Path, tmp_path: Path
) -> None:
    done = run(environment / "oarflow", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert f"install OARflow with the extra [{extra}]" in done.stderr
    assert "Traceback" not in done.stderr
