"""Made-up patients of OpenKBP with two experts' contours, as the files hold them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHAPE = (12, 24, 24)
BOX = np.s_[3:8, 8:14, 6:12]
CORD = "Spinal-Cord"


def write_experts(folder: Path, coverage: dict[str, dict[str, float]]) -> Path:
    """`experts/train` beside `openkbp/train`. coverage: by patient and organ, as the index has it.

    The clinic drew a box as RightParotid and nothing else, the oncologist the same box of every
    organ, the radiographer a column less. Only the cord goes on through all slices. The first and
    the last slice were not published.
    """
    experts, openkbp = folder / "experts" / "train", folder / "openkbp" / "train"
    experts.mkdir(parents=True)
    openkbp.mkdir(parents=True)
    body = np.zeros(SHAPE, dtype=bool)
    body[1:11, 2:22, 2:22] = True
    ct = np.where(body, 0, -1024).astype(np.int16)
    drawn = np.zeros(SHAPE, dtype=np.uint8)
    drawn[BOX] = 255
    cord = np.zeros(SHAPE, dtype=np.uint8)
    cord[:, *BOX[1:]] = 255
    by_organ = {CORD: cord}
    for patient, shares in coverage.items():
        np.savez(
            openkbp / f"{patient}.npz",
            ct=ct,
            body=body,
            spacing_mm=np.array((3.0, 4.0, 4.0)),
            RightParotid=drawn > 0,
        )
        masks = {f"{organ}.o": by_organ.get(organ, drawn) for organ in shares} | {
            f"{organ}.r": _again(by_organ.get(organ, drawn)) for organ in shares
        }
        np.savez(experts / f"{patient}.npz", spacing_mm=np.array((3.0, 4.0, 4.0)), **masks)
    index = [{"patient": patient, "coverage": shares} for patient, shares in coverage.items()]
    (folder / "experts" / "index.json").write_text(json.dumps(index))
    return experts


def _again(drawn: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the radiographer drew."""
    again = drawn.copy()
    again[:, :, 6] = np.minimum(again[:, :, 6], 127)  # half covered: not in
    again[:, :, 7] = np.minimum(again[:, :, 7], 128)  # a little more: in
    return again
