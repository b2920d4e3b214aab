"""python -m training: fit a localizer or an organ's network, and export it for the application."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from oarflow.runtime import preload_cuda_runtime

preload_cuda_runtime()

import torch  # noqa: E402
from rich.progress import (  # noqa: E402
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from training.cases import Split, read_openkbp  # noqa: E402
from training.configuration import Configuration, read_configuration  # noqa: E402
from training.loop import train  # noqa: E402
from training.samplers import sampler_for  # noqa: E402

DEFAULT_SPLIT = Path(__file__).parent.parent / "datasets" / "openkbp_split.yaml"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 2 where the arguments are wrong."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    try:
        configuration = read_configuration(options.network, steps=options.steps, seed=options.seed)
        fit(configuration, options.data, options.split, options.work, options.device)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"training: {error}\n")
        return 2
    return 0


def fit(configuration: Configuration, data: Path, split_path: Path, work: Path, device: str) -> None:
    """Train one network on the split's fitting patients, with progress."""
    split = Split.read(split_path)
    cases = read_openkbp(data, split.fit, split)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TextColumn("loss {task.fields[loss]:.3f}"), TimeRemainingColumn()) as bar:
        task = bar.add_task(configuration.name, total=configuration.steps, loss=float("nan"))
        train(
            sampler_for(cases, configuration),
            configuration,
            work / configuration.name,
            device,
            lambda step, loss: bar.update(task, completed=step, loss=loss),
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fitting = commands.add_parser("fit", help="train a network, or go on where a run stopped")
    fitting.add_argument("network", help="an organ, localizer_axial, localizer_3d, or a YAML file")
    fitting.add_argument("--data", type=Path, required=True, help="folder of OpenKBP pt_N.npz")
    fitting.add_argument("--work", type=Path, required=True, help="folder for checkpoints and logs")
    fitting.add_argument("--split", type=Path, default=DEFAULT_SPLIT)
    fitting.add_argument("--steps", type=int)
    fitting.add_argument("--seed", type=int)
    fitting.add_argument("--device", default="cpu")
    fitting.add_argument("--threads", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
