"""Preparation of a process before MONAI or the MONAI Deploy SDK is imported."""

from __future__ import annotations

import ctypes
import sysconfig
from pathlib import Path


def preload_cuda_runtime() -> None:
    """Load the packaged CUDA runtime library, which Holoscan links to, GPU or not.

    The package nvidia-cuda-runtime keeps it where the dynamic linker does not look, and `import
    monai` fails without it. Does nothing where the package is absent.
    """
    folder = Path(sysconfig.get_paths()["purelib"]) / "nvidia" / "cu13" / "lib"
    for library in sorted(folder.glob("libcudart.so.*")):
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
