"""The files of deploy/node, checked by the tools that read them."""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from oarflow.node.settings import load_settings
from tests.requirements import declared

ROOT = Path(__file__).resolve().parents[3]
NODE = ROOT / "deploy" / "node"
UNITS = sorted((NODE / "systemd").glob("*.service"))
COMPOSE = yaml.safe_load((NODE / "compose.yaml").read_text())
PODS: dict[str, Any] = {
    document["metadata"]["name"]: document["spec"]["template"]["spec"]
    for file in sorted((NODE / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(file.read_text())
    if document and "template" in document["spec"]
}


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_takes_the_units(tmp_path: Path, unit: Path) -> None:
    program = tool("systemd-analyze")
    text = re.sub(r"/opt/oarflow/\.venv/bin/\w+", "/bin/true", unit.read_text())
    copy = tmp_path / unit.name
    copy.write_text(text)
    done = subprocess.run(
        [program, "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    copy.write_text(text.replace("ProtectSystem=strict", "ProtectSystems=strict"))
    done = subprocess.run(
        [program, "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert "ProtectSystems" in done.stderr


def test_compose_takes_its_file(tmp_path: Path) -> None:
    program = tool("docker-compose")
    shutil.copytree(NODE, tmp_path / "deploy" / "node")
    file = tmp_path / "deploy" / "node" / "compose.yaml"
    done = subprocess.run(
        [program, "-f", str(file), "config"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == {
        "node",
        "postgres",
        "scheduler",
        "worker",
    }


def commands() -> dict[str, list[str]]:
    """Every call of dask, by where it stands."""
    found = {f"compose {name}": COMPOSE["services"][name]["command"] for name in DASK}
    for name in DASK:
        found[f"kubernetes {name}"] = PODS[f"oarflow-{name}"]["containers"][0]["command"]
        unit = (NODE / "systemd" / f"oarflow-dask-{name}.service").read_text()
        line = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
        found[f"systemd {name}"] = ["dask", *line.split()[1:]]
    return found


DASK = ("scheduler", "worker")


@functools.cache
def dask_help(command: str) -> str:
    call = [sys.executable, "-m", "dask", command, "--help"]
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("place", sorted(commands()))
def test_dask_knows_every_flag(place: str) -> None:
    command = commands()[place]
    said = dask_help(command[1])
    flags = [word for word in command if word.startswith("--")]
    assert {"--tls-ca-file", "--tls-cert", "--tls-key"} <= set(flags)
    for flag in flags:
        assert re.search(rf"(?<![\w-]){flag}(?![\w-])", said), flag


def test_the_settings_are_valid_and_agree_with_the_files_around_them() -> None:
    settings = load_settings(NODE / "node.yaml")
    execution = settings.execution
    assert execution.scheduler == "tls://scheduler:8786"
    assert "scheduler" in COMPOSE["services"]
    mounts = {mount.split(":")[1] for mount in COMPOSE["x-files"]}
    assert str(execution.config) in mounts
    assert execution.scheduler_tls is not None
    assert str(execution.scheduler_tls.ca.parent) in mounts
    assert settings.storage.folder.is_relative_to("/var/lib/oarflow")
    ports = [port.rsplit(":", 1)[1] for port in COMPOSE["services"]["node"]["ports"]]
    assert ports == [str(settings.listener.port), str(settings.web.port)]
    container = PODS["oarflow-node"]["containers"][0]
    assert {port["containerPort"] for port in container["ports"]} == set(map(int, ports))


def test_node_and_workers_see_the_same_files() -> None:
    def state(name: str) -> Any:
        (found,) = [
            mount["mountPath"]
            for mount in PODS[name]["containers"][0]["volumeMounts"]
            if mount["name"] == "state"
        ]
        return found

    assert state("oarflow-node") == state("oarflow-worker") == "/var/lib/oarflow"


@pytest.mark.parametrize("name", sorted(PODS))
def test_pods_have_no_more_rights_than_they_need(name: str) -> None:
    pod = PODS[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert "limits" in container["resources"]


def test_the_image_installs_what_the_package_declares() -> None:
    extra = {one.name for one in declared("node")} - {one.name for one in declared()}
    lines = (NODE / "requirements.txt").read_text().splitlines()
    listed = {Requirement(line).name for line in lines if not line.startswith("#")}
    assert listed == extra


def test_the_clusters_certificates_fit(tmp_path: Path) -> None:
    tool("openssl")
    folder = tmp_path / "tls"
    subprocess.run(["sh", str(NODE / "certificates"), str(folder), "scheduler"], check=True)
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    verify = ["openssl", "verify", "-CAfile", str(folder / "ca.crt"), "-verify_hostname"]
    for name, expected in (("scheduler", 0), ("elsewhere", 2)):
        done = subprocess.run(
            [*verify, name, str(folder / "tls.crt")], capture_output=True, check=False
        )
        assert done.returncode == expected
    assert {path.name for path in folder.iterdir()} == {"ca.crt", "ca.key", "tls.crt", "tls.key"}


def test_the_containers_user_reads_the_certificates_but_not_the_authoritys_key() -> None:
    tool("openssl")
    program = tool("setpriv")
    if os.geteuid() != 0:
        pytest.skip("root is needed to become another user")
    with tempfile.TemporaryDirectory(prefix="oarflow-tls-") as above:
        Path(above).chmod(0o755)
        folder = Path(above) / "tls"
        subprocess.run(["sh", str(NODE / "certificates"), str(folder), "scheduler"], check=True)
        subprocess.run(["chgrp", "-R", "0", str(folder)], check=True)
        user = [program, "--reuid=1000", "--regid=0", "--clear-groups", "cat"]
        stranger = [program, "--reuid=1001", "--regid=1001", "--clear-groups", "cat"]

        def reads(who: list[str], name: str) -> bool:
            done = subprocess.run([*who, str(folder / name)], capture_output=True, check=False)
            return done.returncode == 0

        names = ("ca.crt", "tls.crt", "tls.key", "ca.key")
        assert [reads(user, name) for name in names] == [True, True, True, False]
        assert not any(reads(stranger, name) for name in names)
        assert stat.S_IMODE((folder / "tls.key").stat().st_mode) == 0o640


SAMPLES = (NODE / "node.yaml", NODE / "systemd" / "node.yaml")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: str(path.parent.name))
def test_a_sample_lets_single_addresses_in(sample: Path) -> None:
    for caller in load_settings(sample).listener.allow:
        for network in caller.addresses:
            assert ipaddress.ip_network(network).num_addresses == 1


def test_nothing_that_doctor_waits_for_keeps_the_node_from_starting() -> None:
    """systemd gives up a start after 90 s, and takes an ExecStartPre without - at its word."""
    unit = (NODE / "systemd" / "oarflow-node.service").read_text()
    (line,) = re.findall(r"^ExecStartPre=(.*)$", unit, re.MULTILINE)
    found = re.match(r"-/usr/bin/timeout --kill-after=(\d+) (\d+) \S+/oarflow node doctor$", line)
    assert found is not None
    assert int(found[1]) + int(found[2]) < 90
    assert "TimeoutStartSec=infinity" in unit.splitlines()


def test_the_unit_lets_the_node_write_where_its_sample_delivers() -> None:
    unit = (NODE / "systemd" / "oarflow-node.service").read_text()
    assert "ProtectSystem=strict" in unit
    writable = [Path("/var/lib/oarflow")]
    for line in re.findall(r"^ReadWritePaths=(.*)$", unit, re.MULTILINE):
        writable += [Path(word.removeprefix("-")) for word in line.split()]
    settings = load_settings(NODE / "systemd" / "node.yaml")
    folders = [one.path for one in settings.delivery.destinations.values() if one.kind == "folder"]
    assert folders
    for folder in (*folders, settings.storage.folder):
        assert any(folder.is_relative_to(place) for place in writable), folder


def test_what_is_commented_out_in_the_unit_s_sample_is_valid_too(tmp_path: Path) -> None:
    text = (NODE / "systemd" / "node.yaml").read_text()
    file = tmp_path / "node.yaml"
    file.write_text(re.sub(r"^( *)# ?(?=( *\w+:( |$)))", r"\1", text, flags=re.MULTILINE))
    settings = load_settings(file)
    assert settings.listener.tls is not None
    assert settings.web.tls is not None
    assert settings.database.url is not None


def test_probes_ask_for_health_and_knock_at_no_dicom_port() -> None:
    node = PODS["oarflow-node"]["containers"][0]
    assert node["readinessProbe"]["httpGet"] == {"port": "web", "path": "/healthz"}
    assert node["livenessProbe"]["tcpSocket"] == {"port": "web"}
    for pod in PODS.values():
        assert "livenessProbe" in pod["containers"][0]
    worker = PODS["oarflow-worker"]["containers"][0]
    ports = {port["name"]: str(port["containerPort"]) for port in worker["ports"]}
    command = worker["command"]
    assert command[command.index("--worker-port") + 1] == ports["worker"]


def test_kubernetes_takes_the_manifests() -> None:
    python = ROOT / ".venvs" / "deploy" / "bin" / "python"
    if not python.exists():
        pytest.skip("no environment for it: make deploy-lint makes one")
    script = ROOT / "deploy" / "lint_manifests.py"
    done = subprocess.run([str(python), str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for kind in ("StatefulSet", "NetworkPolicy", "PersistentVolumeClaim"):
        assert f"{kind}: Kubernetes" in done.stdout
