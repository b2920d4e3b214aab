"""The linter finds what is planted, in a root file system and in archives, and nothing else."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.map_package.lint import RULES, lint
from deploy.map_package.readers import readers
from deploy.map_package.rules import Compliance
from deploy.map_package.targets import open_target
from oarflow.errors import ConfigurationError
from tests.app.workbench import REPOSITORY

CONFIG = {
    "User": "1000:0",
    "Entrypoint": ["/opt/holoscan/app/entrypoint"],
    "Env": ["PATH=/usr/bin", "USER=oarflow", "HOME=/tmp"],
    "Labels": {
        "org.opencontainers.image.title": "OARflow",
        "org.opencontainers.image.version": "0.1.0",
    },
}

Change = Callable[[Path, dict[str, Any]], None]


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.unlink()
    path.write_text(json.dumps(document, indent=1))
    path.chmod(0o444)


def app(change: Callable[[dict[str, Any]], object]) -> Change:
    return lambda root, _: edited(root / "etc" / "holoscan" / "app.json", change)


def pkg(change: Callable[[dict[str, Any]], object]) -> Change:
    return lambda root, _: edited(root / "etc" / "holoscan" / "pkg.json", change)


def config(**changes: object) -> Change:
    return lambda _, document: document.update(changes)


def put(path: str, text: str = "x") -> Change:
    def change(root: Path, _: dict[str, Any]) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).unlink(missing_ok=True)
        (root / path).write_text(text)
        (root / path).chmod(0o444)

    return change


def gone(path: str) -> Change:
    return lambda root, _: (root / path).unlink()


def states(root: Path, document: dict[str, Any] | None = None) -> dict[str, Compliance]:
    """The finding of each rule, by id."""
    file = root.parent / "config.json"
    file.write_text(json.dumps([{"Config": document}]))
    with open_target(root, file if document is not None else None) as target:
        return {finding.rule.id: finding.state for finding in lint(target)}


def bad(found: dict[str, Compliance]) -> set[str]:
    return {id_ for id_, state in found.items() if state is Compliance.VIOLATED}


def test_ours_has_no_violation(rootfs: Path) -> None:
    found = states(rootfs, CONFIG)
    assert bad(found) == set()
    assert Compliance.UNKNOWN not in found.values()


def test_every_requirement_has_one_rule() -> None:
    ids = [rule.id for rule in RULES]
    counts = {"R": 17, "H": 4, "E": 9, "F": 5, "A": 13, "P": 9, "B": 6}
    wanted = {f"{letter}{n}" for letter, last in counts.items() for n in range(1, last + 1)}
    assert wanted <= set(ids)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("change", "ids"),
    [
        (app(lambda d: d.pop("type")), {"A2", "R9"}),
        (app(lambda d: d.update(command='["python3", "/opt/holoscan/app"]')), {"A3"}),
        (app(lambda d: d["environment"].update(X=1)), {"A4"}),
        (app(lambda d: d["environment"].pop("HOLOSCAN_DOCS")), {"E8"}),
        (app(lambda d: d.update(environment={})), {f"E{n}" for n in range(1, 10)}),
        (app(lambda d: d["input"].update(formats=None)), {"A5", "R10"}),
        (app(lambda d: d["output"].pop("formats")), {"A7"}),
        (app(lambda d: d["output"].pop("path")), {"A8"}),
        (app(lambda d: d.pop("workingDirectory")), {"A12"}),
        (app(lambda d: d.update(readiness={"port": 1})), {"A13"}),
        (pkg(lambda d: d["resources"].update(gpu=1.0)), {"P5"}),
        (pkg(lambda d: d["resources"].update(memory="4GB")), {"P6"}),
        (pkg(lambda d: d["resources"].pop("gpuMemory")), {"P6", "R7"}),
        (pkg(lambda d: d["resources"].update(memoryLimit=4)), {"P7"}),
        (put("etc/holoscan/pkg.json", "{"), None),
        (gone("etc/holoscan/app.json"), None),
        (gone("opt/holoscan/app/__main__.py"), {"F1", "R1"}),
        (put("opt/holoscan/app/tests/test_x.py"), {"X4"}),
        (put("run/secrets/pipconf"), {"X6"}),
        (gone("bin/bash"), {"X3"}),
        (lambda root, _: (root / "etc/holoscan/app.json").chmod(0o644), {"R6"}),
        (lambda root, _: (root / "opt/holoscan/app/app.yaml").chmod(0o666), {"X5"}),
        (lambda root, _: (root / "opt/holoscan/app/entrypoint").chmod(0o644), {"R8", "B1"}),
        (lambda root, _: (root / "var/holoscan/input").rmdir(), {"F5"}),
        (config(User="0:0"), {"R13"}),
        (config(User=""), {"R13"}),
        (config(Entrypoint=None), {"R8", "B1"}),
        (config(Labels={}), {"R15", "R16"}),
        (config(Env=["PATH=/usr/bin", "HOME=/tmp"]), {"X2"}),
        (config(Env=[*CONFIG["Env"], "HOLOSCAN_INPUT_PATH=/var/holoscan/input"]), {"X1"}),
        (config(Env=[*CONFIG["Env"], "PIP_INDEX_URL=https://user:word@host/"]), {"X6"}),
    ],
)
def test_a_planted_violation_is_found(change: Change, ids: set[str] | None, rootfs: Path) -> None:
    document = json.loads(json.dumps(CONFIG))
    before = bad(states(rootfs, document))
    assert before <= {"R6"}  # where the tests' user is not root, neither is the files'
    change(rootfs, document)
    found = bad(states(rootfs, document))
    if ids is None:
        assert "R4" in found
    else:
        assert found == ids | before


def test_models_that_are_not_there_and_a_second_manifest_are_warned_of(rootfs: Path) -> None:
    package = rootfs / "etc" / "holoscan" / "pkg.json"
    edited(package, lambda d: d["models"].append({"name": "gone", "path": "gone"}))
    put("etc/monai/app.json", "{}")(rootfs, {})
    found = states(rootfs, CONFIG)
    assert found["P4"] is Compliance.WARNING
    assert found["X7"] is Compliance.WARNING


class TestReaders:
    """What each host would do, as MONAI's, NVIDIA's and mercure's sources have it."""

    def works(self, root: Path) -> dict[str, bool]:
        with open_target(root) as target:
            return {verdict.reader: verdict.works for verdict in readers(target)}

    def test_all_run_ours(self, rootfs: Path) -> None:
        assert all(self.works(rootfs).values())

    @pytest.mark.parametrize(
        ("change", "reader"),
        [
            (app(lambda d: d.pop("environment")), "holoscan run"),
            (app(lambda d: d["output"].pop("path")), "holoscan run"),
            (pkg(lambda d: d.update(resources=None)), "holoscan run"),
            (pkg(lambda d: d["resources"].update(gpu=1.0)), "holoscan run"),
            (put("etc/monai/app.json", "{}"), "mercure"),
            (put("etc/monai/app.json", '{"command": "[\\"python3\\", \\"/app\\"]"}'), "mercure"),
            (gone("bin/bash"), "Workflow Manager"),
            (gone("opt/holoscan/app/__main__.py"), "Workflow Manager"),
        ],
    )
    def test_who_fails(self, change: Change, reader: str, rootfs: Path) -> None:
        change(rootfs, {})
        found = self.works(rootfs)
        assert [name for name, works in found.items() if not works] == [reader]

    def test_mercure_demands_root_for_the_second_tag(self, rootfs: Path) -> None:
        put("etc/monai/app.json", (rootfs / "etc/holoscan/app.json").read_text())(rootfs, {})
        with open_target(rootfs) as target:
            mercure = next(v for v in readers(target) if v.reader == "mercure")
        assert mercure.works
        assert "demands root" in mercure.does[0]
        assert "['python3', '/opt/holoscan/app']" in mercure.does[1]


def layer(root: Path | None = None, **files: bytes) -> bytes:
    """A layer's tar: a folder's content, owned by root, and more files by name."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        if root is not None:
            tar.add(root, arcname=".")
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def oci_archive(path: Path, *layers: bytes) -> Path:
    """An image as `buildah push oci-archive:` writes it."""
    blobs: dict[str, bytes] = {}

    def blob(content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"digest": f"sha256:{digest}", "size": len(content)}

    manifest = {
        "config": blob(json.dumps({"config": CONFIG}).encode()),
        "layers": [blob(content) for content in layers],
        "annotations": {"org.opencontainers.image.vendor": "somebody"},
    }
    blobs["index.json"] = json.dumps({"manifests": [blob(json.dumps(manifest).encode())]}).encode()
    path.write_bytes(layer(None, **blobs))
    return path


def test_an_archive_is_read_layer_by_layer(rootfs: Path, tmp_path: Path) -> None:
    added = {"etc/monai/app.json": b"{}", "opt/holoscan/docs/extra.md": b"text"}
    removed = {"etc/monai/.wh.app.json": b"", "opt/holoscan/docs/.wh..wh..opq": b""}
    archive = oci_archive(tmp_path / "a.tar", layer(rootfs, **added), layer(None, **removed))
    with open_target(archive) as target:
        found = {finding.rule.id: finding.state for finding in lint(target)}
        assert target.labels["org.opencontainers.image.vendor"] == "somebody"
    assert bad(found) == set()
    assert found["X7"] is Compliance.MET  # whited out
    assert found["F4"] is Compliance.WARNING  # an opaque folder hides what was below it


def test_a_docker_archive_too(rootfs: Path, tmp_path: Path) -> None:
    names = json.dumps([{"Config": "c.json", "Layers": ["one.tar"]}]).encode()
    files = {"manifest.json": names, "c.json": json.dumps({"config": CONFIG}).encode()}
    (tmp_path / "d.tar").write_bytes(layer(None, **files, **{"one.tar": layer(rootfs)}))
    with open_target(tmp_path / "d.tar") as target:
        assert bad({f.rule.id: f.state for f in lint(target)}) == set()


@pytest.mark.parametrize("content", [b"", b"no tar", layer(None, a=b"1")])
def test_what_is_no_package_is_said(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with (
        pytest.raises(ConfigurationError, match="archive"),
        open_target(tmp_path / "x"),
    ):
        pass


def test_by_command(rootfs: Path, tmp_path: Path) -> None:
    def ran(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deploy.map_package", "lint", *words],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )

    good = ran(str(rootfs), "--json")
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["passed"]
    edited(rootfs / "etc/holoscan/app.json", lambda d: d.pop("workingDirectory"))
    wrong = ran(str(rootfs))
    assert wrong.returncode == 1
    assert "A12  violated" in wrong.stdout
    assert "holoscan run: FAILS" in wrong.stdout
    assert ran(str(tmp_path / "nowhere")).returncode == 2
    assert ran(str(REPOSITORY)).returncode == 0
