"""The phantom CT and the models that every run of the application shares."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.workbench import write_ct, write_models


@pytest.fixture(scope="session")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the phantom's CT."""
    return write_ct(tmp_path_factory.mktemp("bench") / "planning ct")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder for both parotids."""
    return write_models(tmp_path_factory.mktemp("bench") / "models")
