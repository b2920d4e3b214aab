"""The image's files, laid out by the very script that the Dockerfile runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.conftest import ct, models
from tests.app.workbench import REPOSITORY

__all__ = ["ct", "laid_out", "models", "rootfs"]


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system with what the Dockerfile adds to system and Python packages."""
    root = tmp_path_factory.mktemp("image") / "root"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["sh", "deploy/layout", str(root)],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return root


@pytest.fixture
def rootfs(laid_out: Path, tmp_path: Path) -> Path:
    """A copy to plant faults in, with the programs that hosts call."""
    root = tmp_path / "rootfs"
    shutil.copytree(laid_out, root, symlinks=True)
    (root / "bin").mkdir()
    for name in ("bash", "sh", "cat"):
        (root / "bin" / name).write_text("")
    return root
