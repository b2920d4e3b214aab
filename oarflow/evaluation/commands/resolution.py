"""What `oarflow evaluate resolution` does."""

from __future__ import annotations

import argparse
import logging

from oarflow.evaluation.invocation import as_typed, today

LOGGER = logging.getLogger("oarflow.evaluation")


def resolution(flags: argparse.Namespace) -> None:
    """Compare contours of a fine CT with those of coarse CTs made from it."""
    from oarflow.runtime import preload_cuda_runtime

    preload_cuda_runtime()
    from oarflow.evaluation.application import model_files
    from oarflow.evaluation.resolution.agreement import measure
    from oarflow.evaluation.resolution.page import markdown
    from oarflow.intake import read_volume

    found = measure(read_volume(flags.ct).volume, flags.models, flags.smoothness, flags.organs)
    page = markdown(found, model_files(flags.models), as_typed(flags.command_line), today())
    flags.output.mkdir(parents=True, exist_ok=True)
    (flags.output / "resolution.md").write_text(page, encoding="utf-8")
    LOGGER.info("%s", page)
