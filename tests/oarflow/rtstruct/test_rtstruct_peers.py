"""RTStruct beside the libraries whose users it is for; they live in .venvs (tests/peers)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from oarflow.rtstruct import RTStruct
from tests.oarflow.rtstruct.test_rtstruct import (
    PHANTOM,
    block,
    pieces,
    raw_contours,
    with_hole,
    write_ct,
)

ROOT = Path(__file__).resolve().parents[3]

WRITE_WITH_RT_UTILS = """
import sys
import numpy as np
from rt_utils import RTStructBuilder
ct, masks, path = sys.argv[1:]
made = RTStructBuilder.create_new(dicom_series_path=ct)
for name, mask in np.load(masks).items():
    made.add_roi(mask=np.moveaxis(mask, 0, -1), color=[255, 0, 0], name=name)
made.save(path)
"""

SQUARE = {"rows": 72, "spacing_yx": (1.2, 1.2)}
"""rt-utils mixes up rows and columns where images or pixels are not square."""

SHAPES = {"Block": block, "Hole": with_hole, "Pieces": pieces}


def python_of(library: str) -> str:
    python = ROOT / ".venvs" / library / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no {python.relative_to(ROOT)}: run tests/peers/environments.sh")
    return str(python)


def run(*command: object) -> None:
    told = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=300, check=False
    )
    assert told.returncode == 0, told.stderr[-2000:]


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ct(tmp_path_factory.mktemp("peers") / "ct", **SQUARE)


def masks() -> dict[str, np.ndarray]:
    shape = (PHANTOM["slices"], SQUARE["rows"], PHANTOM["columns"])
    return {name: make(shape) for name, make in SHAPES.items()}


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


@pytest.mark.parametrize(
    ("library", "least_dice"),
    # rt-utils rounds every point to a whole pixel, a hard edge's half-pixel points too.
    [("rt-utils", 0.88), ("dcmrtstruct2nii", 0.98)],
)
def test_other_libraries_read_the_masks_that_were_added(
    ct: Path, tmp_path: Path, library: str, least_dice: float
) -> None:
    python = python_of(library)
    structures = RTStruct.new(ct=ct)
    for name, mask in masks().items():
        structures.add(name, mask)
    structures.save(tmp_path / "rs.dcm")
    script = ROOT / "tests" / "peers" / "read_with.py"
    run(python, script, library, ct, tmp_path / "rs.dcm", tmp_path / "masks.npz")
    with np.load(tmp_path / "masks.npz") as found:
        for name, mask in masks().items():
            assert dice(found[name], mask) > least_dice, name


def test_a_file_of_rt_utils_is_changed_and_its_regions_stay(ct: Path, tmp_path: Path) -> None:
    python = python_of("rt-utils")
    np.savez(tmp_path / "masks.npz", **masks())
    path, changed = tmp_path / "theirs.dcm", tmp_path / "changed.dcm"
    run(python, "-c", WRITE_WITH_RT_UTILS, ct, tmp_path / "masks.npz", path)
    structures = RTStruct.open(path, ct=ct)
    assert list(structures.masks) == list(SHAPES)
    for name, mask in masks().items():  # its contours run through the centres of the outer voxels
        assert dice(structures.masks[name], mask) > 0.85, name
    structures.remove("Hole")
    structures.add("Hole", masks()["Hole"])
    structures.save(changed)
    for number in (1, 3):
        assert raw_contours(changed, number) == raw_contours(path, number)
    np.testing.assert_array_equal(RTStruct.open(changed, ct=ct).masks["Hole"], masks()["Hole"])


def test_simpleitk_reads_the_ct_in_the_order_of_the_masks(ct: Path) -> None:
    """Head first and supine, an array of SimpleITK fits as it is; so does the image's geometry."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(ct)))
    image = reader.Execute()
    structures = RTStruct.new(ct=ct)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), structures.hu)
    structures.add(
        "Block", SimpleITK.GetArrayFromImage(image > -2000) * block(structures.grid.shape)
    )
    made = structures.to_sitk("Block")
    np.testing.assert_allclose(made.GetOrigin(), image.GetOrigin(), atol=1e-6)
    np.testing.assert_allclose(made.GetSpacing(), image.GetSpacing(), atol=1e-6)
    np.testing.assert_allclose(made.GetDirection(), image.GetDirection(), atol=1e-6)
    assert made.GetSize() == image.GetSize()
