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
from training.cases import Split  # noqa: E402
from training.configuration import read_configuration  # noqa: E402
from training.experiment.plan import BACKBONES, DROPOUT, Settings  # noqa: E402

DEFAULT_SPLIT = Path(__file__).parent.parent / "datasets" / "openkbp_split.yaml"
SLICE_PAGE = Path(__file__).parent.parent / "docs" / "results" / "slice-experiment.md"
OPENKBP_ORGANS = (
    "Parotid_L",
    "Larynx",
    "Brainstem",
    "Esophagus",
    "SpinalCord",
    "Parotid_R",
    "Bone_Mandible",
)


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
            commands.fit(network, options.data, _split(options), options.work, options.device)
        case "export":
            network = read_configuration(options.network, steps=options.steps, seed=options.seed)
            commands.ship(
                network,
                options.data,
                _split(options),
                options.work,
                models=options.models,
                version=options.version,
            )
        case "systems":
            commands.systems()
        case "experiment":
            _experiment(options)
        case "tune":
            commands.tune(
                options.data, _split(options), options.models, options.jitter, options.output
            )
        case "agreement":
            commands.agreement(options.data, options.split, options.models, options.output)
        case "localizers":
            commands.localizers(options.data, options.split, options.models, options.output)
        case "cards":
            if options.scores is not None:
                cards.record_validation(options.scores, options.models, options.scored_on)
            cards.write_pages(options.models, options.output)


def _split(options: argparse.Namespace) -> Split:
    return Split.read(options.split, options.derived)


def _experiment(options: argparse.Namespace) -> None:
    settings = Settings(
        tuple(options.organs),
        tuple(options.backbones),
        options.patients,
        options.steps,
        options.seed,
    )
    chosen = (
        f"--organs {' '.join(options.organs)} --backbones {' '.join(options.backbones)}"
        f" --patients {options.patients} --steps {options.steps} --seed {options.seed}"
    )
    commands.slice_experiment(
        settings,
        options.data,
        options.split,
        options.work,
        output=options.output,
        minutes=options.minutes,
        device=options.device,
        command=f"python -m training experiment slice --data DATA --work RUNS {chosen}",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    add = parser.add_subparsers(dest="command", required=True).add_parser
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, required=True, help="folder of OpenKBP pt_N.npz")
    data.add_argument("--split", type=Path, default=DEFAULT_SPLIT)
    data.add_argument(
        "--derived", type=Path, help="folder of derived labels: python -m datasets derive"
    )
    network = argparse.ArgumentParser(add_help=False)
    network.add_argument(
        "network",
        help="a name that `systems` lists, table/organ, an organ of slice, or a YAML file",
    )
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
    add("systems", help="what can be trained")
    _add_experiment(add("experiment", parents=[data], help="a paper's own comparison, resumable"))
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
    pair = add("agreement", parents=[data], help="compare two networks an organ, tuning patients")
    pair.add_argument("--models", type=Path, nargs=2, required=True, help="two models folders")
    pair.add_argument("--output", type=Path, required=True, help="Markdown file")
    pages = add("cards", parents=[models], help="validation figures and pages of the models")
    pages.add_argument("--output", type=Path, required=True, help="folder of the pages")
    pages.add_argument("--scores", type=Path, help="scores.csv whose figures go into the cards")
    pages.add_argument("--scored-on", default="", help="what the scores were measured on")
    return parser


def _add_experiment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paper", choices=["slice"], help="SLICE: crops against full slices")
    parser.add_argument("--work", type=Path, required=True, help="folder of checkpoints and scores")
    parser.add_argument("--organs", nargs="+", default=list(OPENKBP_ORGANS))
    parser.add_argument(
        "--backbones", nargs="+", choices=[*BACKBONES, DROPOUT], default=list(BACKBONES)
    )
    parser.add_argument("--patients", type=int, default=60, help="of each organ, 0 for all")
    parser.add_argument("--steps", type=int, default=1500, help="of every network alike")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="stop after so long; call again to go on")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, default=SLICE_PAGE, help="Markdown file")


if __name__ == "__main__":
    sys.exit(main())
