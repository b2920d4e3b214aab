"""rt-utils at work on the benchmark's masks. Runs in rt-utils' own environment, without oarflow.

Usage: python rt_utils_peer.py CT_FOLDER MASKS_FOLDER OUTPUT; prints one JSON line.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from rt_utils import RTStructBuilder  # type: ignore[import-not-found]


def peak_mb() -> float:
    """Peak resident memory of this process since it was started, in MB (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main(ct: Path, masks: Path, output: Path) -> None:
    bare = peak_mb()
    began = time.process_time()
    structures = RTStructBuilder.create_new(str(ct))
    opened = time.process_time() - began
    added = 0.0
    for path in sorted(masks.glob("*.npz")):
        with np.load(path) as stored:
            shape, offset = tuple(stored["shape"]), stored["offset"]
            inside = stored["values"] >= 0.5
        mask = np.zeros((shape[1], shape[2], shape[0]), dtype=bool)
        z, y, x = (slice(o, o + n) for o, n in zip(offset, inside.shape, strict=True))
        mask[y, x, z] = inside.transpose(1, 2, 0)
        began = time.process_time()
        structures.add_roi(mask=mask, name=path.stem)
        added += time.process_time() - began
    began = time.process_time()
    structures.save(str(output))
    saved = time.process_time() - began
    result = {
        "open_s": opened,
        "contour_s": added,
        "save_s": saved,
        "peak_mb": peak_mb(),
        "bare_mb": bare,
    }
    sys.stdout.write("\n" + json.dumps(result) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
