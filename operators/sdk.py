"""The MONAI Deploy App SDK's classes that the graph is made of, imported in one place.

They are Holoscan's: `monai.deploy.core` hands on these very classes (a test holds the two side by
side). Taken from there they would bring all of MONAI with them, of which serving uses nothing: two
more seconds at the start and 290 MB.
"""

from __future__ import annotations

import warnings

from oarflow.runtime import preload_cuda_runtime

preload_cuda_runtime()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of a stack size that nothing here needs
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
