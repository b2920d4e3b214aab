"""python -m training.systems: what only some papers' systems need beside python -m training.

fit trains on any data set (CT with MR too), fusion learns how C2F's views count, views and steps
are C2F's and TWOSTEP's own comparisons.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from datasets.cases import Case
from datasets.opening import open_data_set
from oarflow.errors import ConfigurationError
from oarflow.networks.store import ModelStore
from oarflow.registration import RegistrationError, on_ct, register, scaled_mr
from oarflow.volume import Volume
from training.cases import Split, TrainingCase, in_memory, read_openkbp
from training.comparisons import Row, step_scores, table, view_scores, write_rows
from training.configuration import Configuration, read_configuration
from training.export import export
from training.fusion import export_fusion, fit_fusion
from training.loop import train
from training.regions import PairedCase
from training.samplers import sampler_for
from training.tuning import volume_of

DEFAULT_SPLIT = Path(__file__).parent.parent / "datasets" / "openkbp_split.yaml"
LOGGER = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 2 where the arguments are wrong."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    try:
        _run(options)
    except (ValueError, OSError, ConfigurationError) as error:
        sys.stderr.write(f"training.systems: {error}\n")
        return 2
    return 0


def _run(options: argparse.Namespace) -> None:
    match options.command:
        case "fit":
            network = read_configuration(options.network, steps=options.steps)
            fit(network, options.data, options.work, options.device)
        case "export":
            network = read_configuration(options.network, steps=options.steps)
            cases = len(open_data_set(options.data))
            work = options.work / network.name
            name = options.data_name
            export(network, work, options.models, cases=cases, data=name, version="1.0.0")
        case "fusion":
            fitted = _patients(options, tuning=False)
            store = ModelStore.open(options.models, device=options.device)
            export_fusion(fit_fusion(fitted, store), store, len(fitted))
        case "views":
            store = ModelStore.open(options.models, device=options.device)
            rows = list(view_scores(_patients(options, tuning=True), store))
            _write(rows, options, "C2F: each view against their fusion (the paper's table 1)")
        case "steps":
            one, two = (ModelStore.open(f, device=options.device) for f in options.folders)
            tuning = _patients(options, tuning=True)
            rows = list(step_scores(tuning, one, two, "Mandible_Ramus_L", "Parotid_L"))
            _write(rows, options, "TWOSTEP: one step against two, the mandible about the parotid")


def fit(configuration: Configuration, data: Path, work: Path, device: str) -> None:
    """Train on every patient of a data set, with its MR where the network reads one."""
    read = paired if "mr" in configuration.images else in_memory
    cases = [read(case) for case in open_data_set(data).values()]
    train(sampler_for(cases, configuration), configuration, work / configuration.name, device)


def paired(case: Case) -> PairedCase:
    """A patient with the MR registered to the CT; without it where the registration fails."""
    made = in_memory(case)
    image = case.mr
    if image is None:
        return PairedCase(made.name, made.ct, made.spacing_mm, made.masks)
    ct = Volume(case.ct.astype("float32"), case.grid, volume_of(made).source)
    uids = tuple(f"1.2.3.{k}" for k in range(image.grid.shape[0]))
    source = type(ct.source)(**{**vars(ct.source), "sop_instance_uids": uids})
    mr = Volume(image.voxels, image.grid, source)
    try:
        found = register(ct, mr)
        trouble = found.trouble
    except RegistrationError as error:
        trouble = str(error)
    if trouble:
        LOGGER.warning("%s: trained without its MR: %s", case.id, trouble)
        return PairedCase(made.name, made.ct, made.spacing_mm, made.masks)
    values = on_ct(scaled_mr(mr.hu), mr.grid, ct.grid, found.mr_to_ct)
    return PairedCase(made.name, made.ct, made.spacing_mm, made.masks, values)


def _patients(options: argparse.Namespace, *, tuning: bool) -> list[TrainingCase]:
    split = Split.read(options.split)
    chosen: Sequence[int] = split.tune if tuning else split.fit
    return read_openkbp(options.data, chosen[: options.patients or None], split)


def _write(rows: list[Row], options: argparse.Namespace, title: str) -> None:
    command = f"python -m training.systems {options.command} --data DATA"
    write_rows(rows, options.output.with_suffix(".csv"))
    options.output.write_text(table(rows, title, command), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.systems", description=__doc__)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--device", default="cpu")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, say in _COMMANDS:
        one = commands.add_parser(name, help=say)
        one.add_argument("--data", type=Path, required=True, help="folder of the data set")
        for flag in _FLAGS[name]:
            one.add_argument(flag, **_OPTIONS[flag])  # type: ignore[arg-type]
    return parser


_COMMANDS: Sequence[tuple[str, str]] = (
    ("fit", "train a network on any data set, with its MRs"),
    ("export", "write such a network into the models"),
    ("fusion", "learn the fusion of C2F's three views, and write it beside them"),
    ("views", "C2F's table 1 on OpenKBP's tuning patients"),
    ("steps", "TWOSTEP's one step against two on OpenKBP's tuning patients"),
)
_FLAGS = {
    "fit": ("network", "--work", "--steps"),
    "export": ("network", "--work", "--steps", "--models", "--data-name"),
    "fusion": ("--models", "--split", "--patients"),
    "views": ("--models", "--split", "--patients", "--output"),
    "steps": ("--folders", "--split", "--patients", "--output"),
}
_OPTIONS: dict[str, dict[str, object]] = {
    "network": {"help": "a shipped configuration's name or a YAML file"},
    "--work": {"type": Path, "required": True, "help": "folder of checkpoints and logs"},
    "--steps": {"type": int},
    "--models": {"type": Path, "required": True, "help": "the models folder"},
    "--data-name": {"required": True, "help": "what the card says of the data"},
    "--folders": {"type": Path, "nargs": 2, "required": True, "help": "one step's, two steps'"},
    "--split": {"type": Path, "default": DEFAULT_SPLIT},
    "--patients": {"type": int, "default": 0, "help": "so many at most, 0 for all"},
    "--output": {"type": Path, "required": True, "help": "Markdown; a CSV goes beside it"},
}


if __name__ == "__main__":
    sys.exit(main())
