"""The image's list of packages is what serving imports, and every one is pinned."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from deploy.map_package.packages import (
    image_packages,
    installed,
    licence_report,
    normalised,
    only,
    packages,
)
from tests.app.workbench import REPOSITORY


def test_every_package_is_pinned() -> None:
    files = (REPOSITORY / "requirements" / name for name in ("lock.txt", "torch.txt"))
    lines = [line for file in files for line in file.read_text().splitlines()]
    pinned = {normalised(line.split("==")[0]) for line in lines if "==" in line}
    assert image_packages(REPOSITORY) <= pinned


@pytest.mark.parametrize(
    "heavy", ["cupy-cuda13x", "monai", "simpleitk", "matplotlib", "tritonclient", "pytest"]
)
def test_the_image_lacks_what_serving_does_not_need(heavy: str) -> None:
    assert heavy not in image_packages(REPOSITORY)


def test_what_the_build_removes_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch for CUDA declares triton, which the Dockerfile uninstalls."""
    torch, other = metadata.PathDistribution(Path()), metadata.PathDistribution(Path())
    declared = {torch: ["triton==3.7.1", "sympy"], other: None}
    monkeypatch.setattr(metadata.PathDistribution, "requires", property(declared.get))
    have = {"torch": torch, "triton": other, "sympy": other}
    monkeypatch.setattr("deploy.map_package.packages.installed", lambda: have)
    assert "pip uninstall -q -y triton pip" in (REPOSITORY / "Dockerfile").read_text()
    assert {"torch", "sympy"} <= image_packages(REPOSITORY)
    assert "triton" not in image_packages(REPOSITORY)


def test_licence_report_and_sbom_name_the_image_s_packages() -> None:
    names = image_packages(REPOSITORY)
    report = licence_report(packages(names)).splitlines()
    assert len(report) == 1 + len(names & set(installed()))
    assert any("pylibjpeg-libjpeg" in line and "GPL" in line for line in report)
    bom = {
        "components": [
            {"name": "Torch", "bom-ref": "t"},
            {"name": "pytest", "bom-ref": "p"},
        ],
        "metadata": {"component": {"name": "oarflow", "bom-ref": "r"}},
        "dependencies": [
            {"ref": "r", "dependsOn": ["p", "t"]},
            {"ref": "t", "dependsOn": ["p"]},
            {"ref": "p"},
        ],
    }
    reduced = only(bom, names)
    assert [c["name"] for c in reduced["components"]] == ["Torch"]
    assert reduced["dependencies"] == [
        {"ref": "r", "dependsOn": ["t"]},
        {"ref": "t", "dependsOn": []},
    ]


def test_pip_s_configuration_becomes_a_secret(tmp_path: Path) -> None:
    wheels, index = tmp_path / "wheels", tmp_path / "index" / "simple"
    wheels.mkdir()
    index.mkdir(parents=True)
    listed = (
        f":env:.cert='/etc/ssl/ca.crt'\n:env:.find-links='{wheels}'\n"
        f"global.extra-index-url='file://{index} https://user:word@host/simple'\n"
        "global.cache-dir='/somewhere'\n"
    )
    ran = subprocess.run(
        [sys.executable, str(REPOSITORY / "deploy" / "pip_secret.py"), str(tmp_path / "pip.conf")],
        input=listed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert set(ran.stdout.split()) == {str(wheels), str(index.parent)}
    assert "word" not in ran.stdout
    text = (tmp_path / "pip.conf").read_text()
    assert "cert = /run/secrets/ca\n" in text
    assert "https://user:word@host/simple" in text
    assert "cache-dir" not in text
    assert (tmp_path / "pip.conf").stat().st_mode & 0o777 == 0o600
