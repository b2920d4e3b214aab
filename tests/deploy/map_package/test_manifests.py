"""The manifests are made of one source, and refuse a source that contradicts itself."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import oarflow
from deploy.map_package.manifests import app_manifest, pkg_manifest, read_source, write_manifests
from oarflow.errors import ConfigurationError
from oarflow.run.settings import Settings
from tests.app.workbench import REPOSITORY

PROJECT = """
[project]
dynamic = ["version"]
optional-dependencies = {monai-deploy = ["monai-deploy-app-sdk==4.0.0"]}
[tool.hatch.version]
path = "program/__init__.py"
"""
APP = {
    "application": {"version": "1.2.3", "inputFormats": ["file"], "outputFormats": ["file"]},
    "resources": {
        "cpu": 1,
        "gpu": 0,
        "memory": "1.5Gi",
        "sharedMemory": "64Mi",
        "gpuMemory": "2Gi",
    },
    "run_seconds": 60,
}


def tree(folder: Path, **changes: object) -> Path:
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "program").mkdir(exist_ok=True)
    (folder / "program" / "__init__.py").write_text('"""A program."""\n\n__version__ = "1.2.3"\n')
    (folder / "app.yaml").write_text(yaml.safe_dump({**APP, **changes}))
    for name in ("b", "a"):
        (folder / "models" / name).mkdir(parents=True, exist_ok=True)
        (folder / "models" / name / "model.json").write_text("{}")
    return folder


def test_one_source(tmp_path: Path) -> None:
    source = read_source(tree(tmp_path))
    app, package = app_manifest(source), pkg_manifest(source)
    assert app["version"] == package["version"] == "1.2.3"
    assert app["timeout"] == 60
    assert package["models"] == [{"name": "a", "path": "a"}, {"name": "b", "path": "b"}]
    assert package["resources"] == APP["resources"]


def test_a_limit_that_is_none_is_off(tmp_path: Path) -> None:
    assert app_manifest(read_source(tree(tmp_path, run_seconds=None)))["timeout"] == 0


def test_written_read_only_and_written_again(tmp_path: Path) -> None:
    source = read_source(tree(tmp_path))
    for _ in range(2):
        for path in write_manifests(source, tmp_path / "out"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o444
            assert isinstance(json.loads(path.read_text()), dict)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"application": {**APP["application"], "version": 1.0}}, "application.version"),
        ({"application": {"version": "1.2.3"}}, "application.inputFormats"),
        ({"resources": {**APP["resources"], "gpu": 1.0}}, "resources.gpu"),
        ({"resources": {**APP["resources"], "memory": "4GB"}}, "resources.memory"),
        ({"resources": None}, "resources"),
        ({"run_seconds": 1.5}, "run_seconds"),
    ],
)
def test_a_source_that_is_wrong_is_named(
    changes: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        read_source(tree(tmp_path, **changes))


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("program/__init__.py", "version = '1.2.3'\n", "no line __version__"),
        ("program/__init__.py", None, "program/__init__.py cannot be read"),
        ("pyproject.toml", "[project]\n", "[tool.hatch.version] path is missing"),
        ("pyproject.toml", "[project\n", "pyproject.toml cannot be read"),
        (
            "pyproject.toml",
            PROJECT.replace("monai-deploy-app-sdk==4.0.0", "monai-deploy-app-sdk>=4"),
            "does not pin monai-deploy-app-sdk",
        ),
    ],
)
def test_a_version_that_is_not_found_is_said(
    file: str, content: str | None, says: str, tmp_path: Path
) -> None:
    source = tree(tmp_path)
    (source / file).unlink()
    if content is not None:
        (source / file).write_text(content)
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        read_source(source)


def test_the_manifest_s_timeout_is_the_application_s_own_limit() -> None:
    settings = yaml.safe_load((REPOSITORY / "app.yaml").read_text())
    assert settings["run_seconds"] == Settings().run_seconds
    assert app_manifest(read_source(REPOSITORY))["timeout"] == Settings().run_seconds


def test_versions_in_the_dockerfile_and_deploy_are_the_project_s() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    version = oarflow.__version__
    extra = project["optional-dependencies"]["monai-deploy"]
    pins = dict(line.split("==") for line in extra)
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    assert f"ARG VERSION={version}\n" in dockerfile
    assert f'org.nvidia.holoscan="{pins["holoscan-cu13"]}"' in dockerfile
    assert f'org.monai.deploy.app-sdk="{pins["monai-deploy-app-sdk"]}"' in dockerfile
    deploy = REPOSITORY / "deploy"
    named = {
        path: set(re.findall(r"oarflow(?:-node)?:(\d[\w.]*)", path.read_text()))
        for pattern in ("*.yaml", "*.json", "Dockerfile")
        for path in deploy.rglob(pattern)
    }
    assert {path: versions for path, versions in named.items() if versions - {version}} == {}
    packages = [*(deploy / "kubernetes").iterdir(), *(deploy / "mercure").iterdir()]
    assert all(named[path] == {version} for path in packages)


def test_by_command(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "deploy.map_package", "manifests", str(tmp_path / "out")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["app.json", "pkg.json"]
