"""python -m oarflow.training: look at labels, fit networks, export and judge them, write their cards."""

from __future__ import annotations

import logging
import sys
import warnings

from oarflow.runtime import preload_cuda_runtime

preload_cuda_runtime()
# MONAI imports all of it that is installed; the deployment SDK then warns of a small stack.
warnings.filterwarnings("ignore", "Current stack size", RuntimeWarning)

import torch  # noqa: E402

from oarflow.console import outlive_readers  # noqa: E402
from oarflow.errors import ConfigurationError, Refusal  # noqa: E402
from oarflow.training.command_line import check_device, parser  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 2 where the arguments are wrong."""
    outlive_readers()
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    try:
        check_device(getattr(options, "device", "cpu"))
        options.run(options)
    except (ValueError, OSError, ConfigurationError, Refusal) as error:
        sys.stderr.write(f"training: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
