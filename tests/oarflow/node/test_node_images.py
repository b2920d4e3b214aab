"""What the images are built of: every COPY finds its sources, and no secret goes along."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import oarflow

ROOT = Path(__file__).resolve().parents[3]
NODE = ROOT / "deploy" / "node"
DOCKERFILES = ("Dockerfile", "deploy/node/Dockerfile")
SECRETS = ("tls/tls.key", "tls/ca.key", "postgres-password", "deploy/node/postgres-password")


def ignores(path: str, lines: list[str]) -> bool:
    """Docker's rules: the last line that fits a file, or a folder above it, decides."""
    ignored = False
    parts = path.split("/")
    above = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    for line in lines:
        pattern = line.removeprefix("!")
        patterns = (pattern, pattern.removeprefix("**/"))
        if any(_fits(one, pattern) for one in above for pattern in patterns):
            ignored = not line.startswith("!")
    return ignored


def _fits(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(path, f"*/{pattern[3:]}")
    return path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)


def rules(dockerfile: str) -> list[str]:
    """The lines of a Dockerfile's ignore file: its own, or that of the whole tree."""
    own = ROOT / f"{dockerfile}.dockerignore"
    file = own if own.exists() else ROOT / ".dockerignore"
    lines = (line.strip() for line in file.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def copies(dockerfile: str) -> Iterator[tuple[str, list[str]]]:
    """Every COPY from the tree: its line and its sources."""
    text = (ROOT / dockerfile).read_text().replace("\\\n", " ")
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["COPY"] and not any(word.startswith("--from") for word in words):
            yield line, [word for word in words[1:-1] if not word.startswith("--")]


def sources() -> list[tuple[str, str]]:
    return [(file, one) for file in DOCKERFILES for _, found in copies(file) for one in found]


def laid_out() -> list[str]:
    """What deploy/layout copies from the tree into the application's image."""
    text = (ROOT / "deploy" / "layout").read_text()
    lines = re.findall(r"^cp (.*)$", text, re.M)
    words = [word for line in lines for word in shlex.split(line, comments=True)[:-1]]
    return [word for word in words if not word.startswith("-")]


@pytest.mark.parametrize(("dockerfile", "source"), sources())
def test_what_is_copied_passes_the_ignore_file(dockerfile: str, source: str) -> None:
    place = ROOT / source
    assert place.exists()
    assert source == "." or not ignores(source, rules(dockerfile))
    if place.is_dir() and source != ".":
        files = list(place.rglob("*.py"))
        assert files
        for path in files:
            assert not ignores(path.relative_to(ROOT).as_posix(), rules(dockerfile)), path


def test_what_is_laid_out_passes_the_ignore_file() -> None:
    listed = laid_out()
    assert {"app", "operators", "oarflow", "models", "deploy/entrypoint"} <= set(listed)
    for one in listed:
        assert not ignores(one, rules("Dockerfile")), one


def test_these_rules_are_docker_s() -> None:
    lines = ["*", "!app", "**/*.pyc", "**/tls"]
    told = {"oarflow/node/a.py": True, "app": False, "app/a/b.py": False, "app/a.pyc": True}
    told |= {"app/x/tls/tls.key": True, "app/tls.py": False, "tls/ca.key": True}
    assert {path: ignores(path, lines) for path in told} == told


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_goes_into_an_image(dockerfile: str, secret: str) -> None:
    assert ignores(secret, rules(dockerfile))


@pytest.mark.parametrize("secret", SECRETS[:3])
def test_no_secret_goes_into_the_repository(secret: str) -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no repository")
    done = subprocess.run(["git", "check-ignore", "-q", secret], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_the_copies_of_the_nodes_image_are_made(tmp_path: Path) -> None:
    """By buildah, of nothing but the tree."""
    program = shutil.which("buildah")
    if program is None or os.geteuid() != 0:
        pytest.skip("buildah, and root, are needed")
    lines = [line for line, _ in copies("deploy/node/Dockerfile")]
    (tmp_path / "Dockerfile").write_text("\n".join(["FROM scratch", *lines]))
    with tempfile.TemporaryDirectory(prefix="oarflow-images-") as folder:
        store = [
            "--storage-driver",
            "vfs",
            "--root",
            f"{folder}/root",
            "--runroot",
            f"{folder}/run",
        ]
        build = ["build", "--isolation", "chroot", "-f", str(tmp_path / "Dockerfile"), str(ROOT)]
        done = subprocess.run([program, *store, *build], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def test_the_image_has_one_name_and_the_programs_version() -> None:
    named = set()
    for file in (*sorted(NODE.rglob("*")), *sorted((ROOT / "docs" / "how-to").glob("*.md"))):
        if file.is_file():
            named |= set(re.findall(r"(?:image: |-t )(oarflow-node\S*)", file.read_text()))
    services = yaml.safe_load((NODE / "compose.yaml").read_text())["services"]
    named |= {services[name]["image"] for name in ("node", "scheduler", "worker")}
    assert named == {f"oarflow-node:{oarflow.__version__}"}
