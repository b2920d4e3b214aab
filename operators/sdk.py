"""The classes of the MONAI Deploy App SDK that the graph uses, imported in one place.

They come from Holoscan, because `monai.deploy.core` re-exports the same classes (a test compares
them) but imports all of MONAI: two more seconds at the start and 290 MB that serving does not need.
"""

from __future__ import annotations

import warnings

from oarflow.runtime import preload_cuda_runtime

preload_cuda_runtime()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about a stack size that does not matter here
    from holoscan.conditions import CountCondition  # type: ignore[import-untyped]
    from holoscan.core import (  # type: ignore[import-untyped]
        Application,
        ExecutionContext,
        InputContext,
        Operator,
        OperatorSpec,
        OutputContext,
    )

__all__ = [
    "Application",
    "CountCondition",
    "ExecutionContext",
    "InputContext",
    "Operator",
    "OperatorSpec",
    "OutputContext",
]
