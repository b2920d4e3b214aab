"""A run with the shipped networks and imported ones: statuses, seconds, memory, size of the report.

The imported networks are stand-ins: their cards have the labels and organs of two recipes of
TotalSegmentator, but the networks contain their answer, an ellipsoid for each label. The seconds do
not include those of real networks.
"""

from __future__ import annotations

import platform
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from oarflow.errors import ExitStatus
from oarflow.evaluation.application import FinishedRun, RunError, run_application
from oarflow.importing.export import sha256, torchscript, write_network
from oarflow.importing.own_organs import OwnOrgans, localized
from oarflow.importing.recipes.recipe import ImportRecipe, read_recipes
from oarflow.networks.imported.card import (
    ImportedCard,
    IntensityNormalization,
    NetworkSource,
    SplineResampling,
)
from oarflow.networks.imported.voxel_map import voxel_map
from oarflow.organs import load_catalogue
from oarflow.tables import markdown_table
from oarflow.types import FloatArray

RECIPES = (775, 777)
"""Recipes of TotalSegmentator with 28 organs that OARflow ships no network for."""

SPACING_MM = (3.0, 2.0, 2.0)
"""Voxels (z, y, x) of the stand-ins: so that one tile holds the CT."""

CENTRE = "Brainstem"
"""The organ from whose centre the ellipsoids are placed."""

Ellipsoid = tuple[tuple[float, float, float], tuple[float, float, float]]

PAIRED: Mapping[str, Ellipsoid] = {
    "Eye": ((32, -75, -5), (12, 12, 12)),
    "Lens": ((32, -85, -5), (4, 3, 4)),
    "OpticNrv": ((18, -45, -5), (4, 18, 4)),
    "Parotid": ((58, -15, -50), (12, 20, 25)),
    "Glnd_Submand": ((30, -45, -85), (11, 15, 14)),
    "Cavity_Nasal": ((9, -75, -30), (7, 25, 18)),
    "Canal_Aud_Ext": ((55, -5, -18), (10, 5, 5)),
    "Musc_Masseter": ((52, -45, -55), (8, 18, 22)),
    "Musc_Temporal": ((60, -40, 5), (7, 30, 28)),
    "Pterygoid_Lat": ((35, -38, -30), (9, 12, 8)),
    "Pterygoid_Med": ((30, -40, -52), (7, 10, 14)),
    "Musc_Digastric": ((22, -50, -92), (6, 22, 6)),
}
"""Centres (x, y, z; LPS, the left organ's) from `CENTRE` and semi-axes in mm."""

MIDLINE: Mapping[str, Ellipsoid] = {
    "Nasopharynx": ((0, -40, -25), (14, 10, 15)),
    "Oropharynx": ((0, -35, -60), (12, 10, 18)),
    "Laryngl_Pharynx": ((0, -25, -105), (12, 6, 14)),
    "Palate_Soft": ((0, -50, -45), (12, 12, 5)),
    "Hardpalate": ((0, -75, -48), (15, 18, 5)),
    "Tongue": ((0, -65, -68), (22, 25, 15)),
}


class KnownAnswer(torch.nn.Module):
    """Logits of a stored label map, whatever the image shows."""

    labels: torch.Tensor

    def __init__(self, labels: NDArray[np.uint8], heads: int) -> None:
        super().__init__()
        self.register_buffer("labels", torch.from_numpy(labels))
        self.heads = heads

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        labels = self.labels + image[:, 0] * 0
        return torch.stack([(labels == head) * 20.0 - 10.0 for head in range(self.heads)], dim=1)


@dataclass(frozen=True, eq=False)
class ManyOrgans:
    """A finished run. processor_seconds: of all its threads. report_bytes: of report.html."""

    run: FinishedRun
    processor_seconds: float
    report_bytes: int


def benchmark(ct: Path, models: Path, folder: Path) -> ManyOrgans:
    """Contour a CT with the networks of a models folder and with the stand-ins.

    folder: for temporary files. Raises RunError where no RTSTRUCT was written, Refusal.
    """
    together = folder / "models"
    together.mkdir()
    for path in models.resolve().iterdir():
        (together / path.name).symlink_to(path)
    scene = localized(ct)
    for number in RECIPES:
        write_stand_in(together, read_recipes("totalsegmentator")[number], scene)
    before = _processor_seconds()
    run = run_application(ct, folder / "out", together, ["--report"])
    used = _processor_seconds() - before
    if run.result.exit_status != ExitStatus.WRITTEN:
        raise RunError(f"exit status {run.result.exit_status}")
    return ManyOrgans(run, used, (folder / "out" / "report.html").stat().st_size)


def _processor_seconds() -> float:
    """Of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_stand_in(models: Path, recipe: ImportRecipe, scene: OwnOrgans) -> None:
    """A network with a recipe's labels and organs that knows its answer on one CT."""
    heads = len(recipe.labels) + 1
    card = ImportedCard(
        name=f"imported/{recipe.name}_stand_in",
        version="1.0.0",
        sha256="0" * 64,
        architecture="stored labels",
        parameters=0,
        folds=("0",),
        dimensions=3,
        orientation=recipe.program.orientation,
        transpose=(0, 1, 2),
        normalization=IntensityNormalization(low=-1000, high=1000),
        spacing_mm=SPACING_MM,
        image_resampling=SplineResampling(order=1, align="corners"),
        logits_resampling=SplineResampling(order=0, align="corners"),
        resampled="whole hu",
        patch=(1, 1, 1),
        heads=heads,
        labels=dict(enumerate(recipe.labels, start=1)),
        contours=recipe.assignment(load_catalogue()).contours,
        crop=recipe.crop,
        source=NetworkSource(form="stand-in", origin=f"labels of {recipe.name}", files={}),
    )
    grid = scene.volume.grid
    axes = voxel_map(scene.volume.hu, grid, card).centres_mm
    first = np.asarray(grid.positions_lps[0])
    z, y, x = (mm + start for mm, start in zip(axes, first[::-1], strict=True))
    centre = scene.localizations[CENTRE].centroid_lps
    assert centre is not None
    labels = label_map((z, y, x), np.asarray(centre), card)
    content = torchscript({"0": KnownAnswer(labels, heads)}, labels.shape)
    changes = {"sha256": sha256(content), "patch": labels.shape}
    write_network(models / f"{recipe.name}_stand_in", content, card.model_copy(update=changes))


def label_map(
    axes: tuple[FloatArray, FloatArray, FloatArray], centre: FloatArray, card: ImportedCard
) -> NDArray[np.uint8]:
    """uint8 (z, y, x): an ellipsoid for each organ of one label. axes: positions in mm (LPS)."""
    z, y, x = axes[0][:, None, None], axes[1][:, None], axes[2]
    labels = np.zeros((len(axes[0]), len(axes[1]), len(axes[2])), dtype=np.uint8)
    for contour in card.contours:
        (dx, dy, dz), (a, b, c) = ellipsoid(contour.organ)
        cx, cy, cz = centre + np.array((dx, dy, dz))
        inside = ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 + ((z - cz) / c) ** 2 <= 1
        labels[inside] = contour.labels[0]
    return labels


def ellipsoid(organ: str) -> Ellipsoid:
    """Centre from `CENTRE` and semi-axes (x, y, z) in mm. Raises KeyError for an unknown organ."""
    if organ in MIDLINE:
        return MIDLINE[organ]
    (x, y, z), axes = PAIRED[organ[:-2]]
    return (x if organ.endswith("_L") else -x, y, z), axes


def page(found: ManyOrgans, command: str) -> str:
    """The figures as Markdown."""
    result = found.run.result
    run, seen = result.run, result.input
    assert seen is not None
    written = [part for part in result.organs if part.status.written]
    lines = [
        "# Many organs",
        "",
        f"Made by `{command}` on {datetime.now(UTC):%Y-%m-%d}; {platform.machine()}, "
        f"{torch.get_num_threads()} threads, device {run.device}.",
        "",
        f"CT of {seen.rows} x {seen.columns} x {seen.slices}; {len(result.organs)} organs"
        f" requested, {len(written)} contoured. The shipped networks and rules contour their"
        " organs. Two imported networks are stand-ins with the labels of the recipes"
        f" {' and '.join(map(str, RECIPES))} of TotalSegmentator. They contain an ellipsoid for"
        " each label, so that the figures do not include the seconds of real networks.",
        "",
        markdown_table(
            ("", "figure"),
            [
                ("whole run, beside other programs", f"{run.seconds:.1f} s"),
                ("processor time of the run", f"{found.processor_seconds:.1f} s"),
                *((f"stage {stage}", f"{s:.1f} s") for stage, s in run.stages.items()),
                ("peak memory", f"{run.peak_memory_mb / 1024:.2f} GB"),
                ("report.html", f"{found.report_bytes / 1e6:.2f} MB"),
                ("RTSTRUCT", "written, passed the self-check"),
            ],
        ),
        "",
        markdown_table(
            ("organ", "status", "seconds"),
            [(part.name, part.status, f"{part.seconds:.1f}") for part in result.organs],
        ),
    ]
    return "\n".join(lines) + "\n"
