"""What every test needs before anything else: the CUDA runtime library, and the shared data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oarflow.runtime import preload_cuda_runtime

preload_cuda_runtime()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of shared data sets that OARFLOW_DATA names; skips the test where it is absent."""
    place = os.environ.get("OARFLOW_DATA")
    if not place:
        pytest.skip("OARFLOW_DATA is not set: no shared data")
    folder = Path(place)
    if not folder.is_dir():
        pytest.skip("OARFLOW_DATA names no folder: no shared data")
    return folder
