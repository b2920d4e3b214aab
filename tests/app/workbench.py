"""A phantom CT with two bright balls, and networks that find them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from oarflow.networks.card import Role
from tests.oarflow.chain import save_model
from tests.oarflow.commissioning.made_up_records import commission_all
from tests.phantoms import make_series, texture, write_series

REPOSITORY = Path(__file__).resolve().parents[2]
RADIUS_MM = 14.0
CENTRES_LPS = {"Parotid_L": (38.0, -6.0, 3.0), "Parotid_R": (-36.0, 4.0, -5.0)}
BALL_CC = 4 / 3 * np.pi * RADIUS_MM**3 / 1000


class Bright(torch.nn.Module):
    """One logit: positive above 50 HU."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hu = image[:, 1:2] * 500
        return (hu - 50) / 7


class Halves(torch.nn.Module):
    """Two logits: bright in the patient's left half, bright in the right half."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logit = (image[:, 1] * 500 - 50) / 7
        half = logit.shape[-1] // 2
        left, right = logit.clone(), logit.clone()
        left[..., :half] = -10
        right[..., half:] = -10
        return torch.stack([left, right], dim=1)


class Broken(torch.nn.Module):
    """A network that ends in an error."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        assert image.min() > 1e9, "PATIENT^SECRET"
        return image[:, 1:2]


class Slow(torch.nn.Module):
    """A network that takes its time."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        work = torch.ones(400, 400)
        for _ in range(10000):
            work = work @ work / work.max()
        return (image[:, 1:2] * 500 - 50) / 7 + work[0, 0] * 0


def balls(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """HU of a cylinder of water with an airway and the balls, at patient coordinates."""
    hu = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), -1000.0)
    hu[np.broadcast_to((x / 80) ** 2 + (y / 70) ** 2 < 1, hu.shape)] = 0.0
    hu[np.broadcast_to(x**2 + (y + 12) ** 2 < 8**2, hu.shape)] = -990.0
    for cx, cy, cz in CENTRES_LPS.values():
        hu[(x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 < RADIUS_MM**2] = 100.0
    return hu + np.where(hu > -900, texture(x, y, z), 0.0)


def nothing(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The same without balls."""
    return np.minimum(balls(x, y, z), texture(x, y, z))


def write_ct(folder: Path, **changes: object) -> Path:
    """The phantom's series as files."""
    phantom = {"slices": 24, "rows": 96, "columns": 96, "spacing_yx": (2.0, 2.0), "anatomy": balls}
    tags = {
        "PatientName": "SECRET^PATIENT",
        "PatientID": "SECRETID",
        "PatientBirthDate": "19501231",
    }
    datasets = make_series(**{**phantom, "tags": tags, **changes})
    write_series(folder, datasets)
    return folder


def write_models(folder: Path, **networks: torch.nn.Module) -> Path:
    """A localizer of both organs and a segmenter of each; `networks` replace some of these."""
    organs = tuple(CENTRES_LPS)
    save_model(
        folder / "localizer",
        Role.LOCALIZER,
        organs,
        (5.0, 5.0, 5.0),
        (0, 0, 0),
        network=networks.get("localizer", Halves()),
    )
    for organ in organs:
        save_model(
            folder / organ,
            Role.SEGMENTER,
            (organ,),
            (0.0, 2.0, 2.0),
            (0.0, 64.0, 64.0),
            network=networks.get(organ, Bright()),
        )
    return folder


def site_settings(folder: Path, models: Path, text: str = "") -> Path:
    """Settings of a site that commissioned all networks of a models folder."""
    commission_all(models, folder / "commissioned")
    path = folder / "app.yaml"
    path.write_text(f"commissioned: commissioned\n{text}")
    return path


def clean_environment(**variables: str) -> dict[str, str]:
    """An environment that names no folders."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("HOLOSCAN_", "MONAI_", "MERCURE_", "SOURCE_DATE_EPOCH"))
    }
    return {**kept, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", **variables}


def app(
    *arguments: object,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    program: Sequence[str] = ("-m", "app"),
) -> subprocess.CompletedProcess[str]:
    """Run the application as a program of its own."""
    return subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        env=dict(environment or clean_environment()),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,  # against a hang alone
        check=False,
    )
