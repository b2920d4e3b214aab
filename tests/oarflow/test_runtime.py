"""MONAI must import on a machine that has no CUDA toolkit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PRELOAD = "from oarflow.runtime import preload_cuda_runtime; preload_cuda_runtime(); "
IMPORT = "import monai.deploy.core; print('imported')"
ROOT = Path(__file__).resolve().parents[2]


def toolkits() -> list[Path]:
    """Folders outside this environment where the linker finds a CUDA runtime."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=False)
    libraries = [
        Path(line.rsplit("=>", 1)[1].strip())
        for line in listed.stdout.splitlines()
        if "libcudart.so" in line and "=>" in line
    ]
    return sorted({library.resolve().parent for library in libraries if library.exists()})


def as_stranger(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python where every installed CUDA toolkit is covered by an empty file system."""
    covers = [f"mount -t tmpfs none '{folder}'" for folder in toolkits()]
    script = " && ".join([*covers, f'exec "{sys.executable}" -c "{code}"'])
    environment = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    return subprocess.run(
        ["unshare", "-m", "bash", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
        timeout=300,
    )


@pytest.fixture(scope="module")
def _namespaces() -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed: the toolkit cannot be hidden")
    if as_stranger("pass").returncode != 0:
        pytest.skip("mount namespaces are not permitted here: the toolkit cannot be hidden")


@pytest.mark.usefixtures("_namespaces")
def test_monai_imports_with_the_toolkit_hidden() -> None:
    run = as_stranger(PRELOAD + IMPORT)
    assert run.returncode == 0, run.stderr[-2000:]
    assert "imported" in run.stdout


@pytest.mark.usefixtures("_namespaces")
def test_the_application_contours_with_the_toolkit_hidden(tmp_path: Path) -> None:
    flags = ["app", "-i", "samples/openkbp_validation/ct", "-o", str(tmp_path / "out")]
    code = f"import runpy, sys; sys.argv = {flags}; runpy.run_module('app', run_name='__main__')"
    run = as_stranger(code)
    assert run.returncode == 0, run.stderr[-2000:]
    assert (tmp_path / "out" / "rtstruct.dcm").is_file()


@pytest.mark.usefixtures("_namespaces")
def test_without_the_preload_it_fails_there() -> None:
    run = as_stranger(IMPORT)
    assert run.returncode != 0
    assert "libcudart" in run.stderr
