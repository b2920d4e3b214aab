"""What the process is given before the heavy libraries are imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ASK = "from oarflow.run.environment import prepare; prepare(); import torch; torch.ones(2).sum()"


@pytest.mark.parametrize(("site", "in_force"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_wait_asleep_unless_the_site_says_otherwise(
    site: str | None, in_force: str
) -> None:
    variables = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    variables["OMP_DISPLAY_ENV"] = "true"
    if site is not None:
        variables["OMP_WAIT_POLICY"] = site
    said = subprocess.run(
        [sys.executable, "-c", ASK], env=variables, capture_output=True, text=True, check=True
    )
    assert f"OMP_WAIT_POLICY = '{in_force}'" in said.stderr
