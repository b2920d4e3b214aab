"""python -m training: look at labels, fit networks, export and judge them, write their cards."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from oarflow.runtime import preload_cuda_runtime

preload_cuda_runtime()

import torch  # noqa: E402

from oarflow.errors import ConfigurationError  # noqa: E402
from training import cards, commands  # noqa: E402
from training.configuration import read_configuration  # noqa: E402

DEFAULT_SPLIT = Path(__file__).parent.parent / "datasets" / "openkbp_split.yaml"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 2 where the arguments are wrong."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    try:
        _run(options)
    except (ValueError, OSError, ConfigurationError) as error:
        sys.stderr.write(f"training: {error}\n")
        return 2
    return 0


def _run(options: argparse.Namespace) -> None:
    match options.command:
        case "audit":
            commands.audit(options.data, options.output)
        case "fit":
            network = read_configuration(options.network, steps=options.steps, seed=options.seed)
            commands.fit(network, options.data, options.split, options.work, options.device)
        case "export":
            network = read_configuration(options.network, steps=options.steps, seed=options.seed)
            commands.ship(
                network,
                options.data,
                options.split,
                options.work,
                models=options.models,
                version=options.version,
            )
        case "tune":
            commands.tune(
                options.data, options.split, options.models, options.jitter, options.output
            )
        case "localizers":
            commands.localizers(options.data, options.split, options.models, options.output)
        case "cards":
            if options.scores is not None:
                cards.record_validation(options.scores, options.models, options.scored_on)
            cards.write_pages(options.models, options.output)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    add = parser.add_subparsers(dest="command", required=True).add_parser
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, required=True, help="folder of OpenKBP pt_N.npz")
    data.add_argument("--split", type=Path, default=DEFAULT_SPLIT)
    network = argparse.ArgumentParser(add_help=False)
    network.add_argument("network", help="an organ, localizer_axial, localizer_3d, or a YAML file")
    network.add_argument("--work", type=Path, required=True, help="folder of checkpoints and logs")
    network.add_argument("--steps", type=int)
    network.add_argument("--seed", type=int)
    models = argparse.ArgumentParser(add_help=False)
    models.add_argument("--models", type=Path, required=True, help="the models folder")

    look = add("audit", parents=[data], help="find labels that stand out")
    look.add_argument("--output", type=Path, required=True, help="CSV of every label's facts")
    fit = add("fit", parents=[data, network], help="train a network, or go on where it stopped")
    fit.add_argument("--device", default="cpu")
    export = add("export", parents=[data, network, models], help="write a network into the models")
    export.add_argument("--version", default="1.0.0")
    tune = add("tune", parents=[data, models], help="score the models on the tuning patients")
    tune.add_argument("--output", type=Path, required=True, help="CSV of all scores")
    tune.add_argument(
        "--jitter",
        type=float,
        help="replace the localizer by the truth with an error of this many mm (1 sigma)",
    )
    places = add("localizers", parents=[data], help="compare localizers on the tuning patients")
    places.add_argument("--models", type=Path, nargs="+", required=True, help="models folders")
    places.add_argument("--output", type=Path, required=True, help="Markdown file")
    pages = add("cards", parents=[models], help="validation figures and pages of the models")
    pages.add_argument("--output", type=Path, required=True, help="folder of the pages")
    pages.add_argument("--scores", type=Path, help="scores.csv whose figures go into the cards")
    pages.add_argument("--scored-on", default="", help="what the scores were measured on")
    return parser


if __name__ == "__main__":
    sys.exit(main())
