"""holoscan-cli 4.2.0, the last with a runner for packages, reads our manifests with its own code
and starts the image: what it would tell the engine is done here."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.deploy.map_package.imitation import Container, needs_root, open_folder, run

runner = pytest.importorskip("holoscan_cli.runner.runner")
dockerutils = pytest.importorskip("holoscan_cli.common.dockerutils")
resources = pytest.importorskip("holoscan_cli.runner.resources")

DOCKER = """#!/bin/sh
# What `holoscan run` calls: create, cp ID:PATH TARGET, rm.
case $1 in
    create) echo 0123456789ab ;;
    cp) cp "{root}${{2#*:}}" "$3" ;;
    rm) : ;;
    *) exit 1 ;;
esac
"""


@pytest.fixture
def docker(laid_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An engine that notes how a container is created. The image is the laid out one."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "docker").write_text(DOCKER.format(root=laid_out))
    (programs / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{Path(sys.executable).parent}:/usr/bin:/bin")
    noted: dict[str, Any] = {}

    def create(image: str, **options: Any) -> SimpleNamespace:
        noted.update(options, image=image)
        raise InterruptedError("created")

    engine = SimpleNamespace(container=SimpleNamespace(create=create))
    monkeypatch.setattr(dockerutils, "docker", engine)
    monkeypatch.setattr(dockerutils, "_additional_devices_to_mount", lambda _: ([], []))
    monkeypatch.setattr(dockerutils, "run_cmd_output", lambda *_: "video:x:44:")
    monkeypatch.setattr(dockerutils, "get_gpu_count", lambda: 0)
    monkeypatch.setattr(runner, "create_or_use_network", lambda *_: "host")
    return noted


def arguments(**changes: Any) -> argparse.Namespace:
    given = {
        "map": "oarflow:test",
        "input": None,
        "output": None,
        "uid": 123456,
        "gid": 654321,
        "shm_size": "config",
        **dict.fromkeys(("quiet", "driver", "worker", "health_check", "use_all_nics"), False),
        **dict.fromkeys(("render", "terminal", "rm"), False),
        **dict.fromkeys(("fragments", "network", "nic", "gpus", "config", "address")),
        **dict.fromkeys(("worker_address", "device")),
    }
    return argparse.Namespace(**{**given, **changes})


def started(docker: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The options of the container that holoscan-cli creates."""
    app, package = runner._fetch_map_manifest("oarflow:test")
    assert runner._pkg_specific_dependency_verification(package)
    with pytest.raises(InterruptedError):
        runner._run_app(arguments(**changes), app, package)
    return docker


def test_reads_both_manifests_and_creates_the_container(docker: dict[str, Any]) -> None:
    made = started(docker, input=Path("/host/in"), output=Path("/host/out"))
    assert made["volumes"] == [
        ("/host/in", "/var/holoscan/input/"),
        ("/host/out", "/var/holoscan/output/"),
    ] or made["volumes"] == [
        ("/host/in", "/var/holoscan/input"),
        ("/host/out", "/var/holoscan/output"),
    ]
    assert made["command"] == []
    assert made["workdir"] == "/var/holoscan/"
    assert made["shm_size"] == 64 * 2**20
    assert made["envs"]["HOLOSCAN_MODEL_PATH"] == "/opt/holoscan/models/"
    assert made["envs"]["NVIDIA_VISIBLE_DEVICES"] == "all"


def test_a_site_s_settings_are_mounted(docker: dict[str, Any]) -> None:
    made = started(docker, config=Path("/site/app.yaml"))
    assert ("/site/app.yaml", "/var/holoscan/app.yaml") in made["volumes"]


@needs_root
def test_what_it_starts_contours(
    docker: dict[str, Any], laid_out: Path, ct: Path, models: Path, tmp_path: Path
) -> None:
    out = open_folder(tmp_path / "out")
    made = started(docker, input=ct, output=out)
    mounts = {inside: Path(outside) for outside, inside in made["volumes"]}
    mounts["/opt/holoscan/models"] = models
    container = Container((), mounts, made["envs"], made["user"], made["workdir"])
    ran = run(laid_out, tmp_path, container, *made["command"])
    assert ran.returncode == 0, ran.stderr
    assert sorted(path.name for path in out.iterdir()) == ["result.json", "rtstruct.dcm"]
