"""Commands: `python -m oarflow.evaluation COMMAND`; without one it lists them."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from oarflow.console import outlive_readers
from oarflow.datasets.cases import Case
from oarflow.datasets.derived.store import DerivedSet
from oarflow.datasets.openkbp import OpenKbp
from oarflow.datasets.split import openkbp_id, wrong_references
from oarflow.errors import Refusal
from oarflow.evaluation.application import RunError, model_files
from oarflow.evaluation.chain import evaluate
from oarflow.evaluation.commands import add_comparisons
from oarflow.evaluation.places import shared, shown, today
from oarflow.evaluation.plausibility_commands import add_plausibility
from oarflow.evaluation.tables import markdown, write_csv
from oarflow.organs import load_catalogue
from oarflow.rtstruct.errors import ReadError
from oarflow.runtime import preload_cuda_runtime
from oarflow.yaml_files import read_yaml

LOGGER = logging.getLogger("oarflow.evaluation")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns 0; 1 where it could not be done (2: wrong flags); 3 where it was done but for cases
    that could not be read.
    """
    outlive_readers()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments = list(sys.argv[1:] if argv is None else argv)
    flags = _parser().parse_args(arguments)
    flags.command_line = "python -m oarflow.evaluation " + shlex.join(arguments)
    try:
        status: int | None = flags.run(flags)
    except (OSError, ValueError, KeyError, RunError, Refusal, ReadError) as error:
        LOGGER.error("%s", error)
        return 1
    return status or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m oarflow.evaluation", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_chain(commands.add_parser("chain", aliases=["evaluate"], help="Dice of the whole chain"))
    _add_systems(commands.add_parser("systems", help="several models folders, one table"))
    _add_overlays(commands.add_parser("overlays", help="pictures of contours on their CT"))
    _add_benchmark(commands.add_parser("benchmark", help="seconds and memory by stage"))
    _add_edits(commands.add_parser("edits", help="what a physicist changed, and its drift"))
    _add_blind(commands.add_parser("blind", help="two sources on one page, without names"))
    _add_review(commands.add_parser("review", help="scores that were saved from reports"))
    add_comparisons(commands)
    add_plausibility(commands)
    return parser


def _add_chain(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--models", type=Path, default=Path("models"))
    add("--name", default="chain", help="name of the tables, without ending")
    add("--position", default="HFS", help="patient position of the DICOM series")
    add("--derived", type=Path, help="score against these derived labels instead (datasets derive)")
    _add_cases(parser)
    parser.set_defaults(run=_chain)


def _add_systems(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("systems", nargs="+", metavar="NAME=MODELS", help="what the table calls a models folder")
    add("--about", nargs="+", metavar="NAME=TEXT", default=(), help="what a system is, in words")
    add("--name", default="systems", help="name of the tables, without ending")
    add("--title", default="Systems side by side", help="the page's heading")
    _add_cases(parser)
    parser.set_defaults(run=_systems)


def _add_cases(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--openkbp", type=Path, help="folder of pt_N.npz (default: validation in OARFLOW_DATA)")
    add("--cases", type=Path, help="only these: a file of ids, one a line, or a split (.yaml)")
    add("--part", default="tune", help="which list of a split")
    add("--config", type=Path, help="settings for the application (app.yaml)")
    add("--output", type=Path, default=Path("docs/results"), help="where the tables go")
    add("--cache", type=Path, default=Path("out/evaluation"), help="scores of cases already run")


def _add_overlays(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ct_dir", type=Path)
    parser.add_argument("rtstruct", type=Path)
    parser.add_argument("out_dir", type=Path)
    parser.set_defaults(run=_overlays)


def _add_benchmark(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--ct", type=Path, help="folder of a CT (default: hn_picker in OARFLOW_DATA, resampled)")
    add("--models", type=Path, default=Path("models"))
    add("--output", type=Path, default=Path("docs/results"))
    add("--matrix", type=int, default=512, help="rows and columns of the resampled study")
    add("--slices", type=int, default=186, help="slices of the resampled study")
    add("--windows", type=int, default=2, help="windows of the whole-volume network to time")
    add("--runs", type=int, default=1, help="runs of the application; the median is shown")
    parser.set_defaults(run=_benchmark)


def _add_edits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("out", type=Path, nargs="?", help="folder of a run: result.json and its RTSTRUCT")
    add("edited", type=Path, nargs="?", help="the RTSTRUCT that came back, or its folder")
    add("--ct", type=Path, help="folder of the CT, where its slices are unevenly spaced")
    add("--models", type=Path, default=Path("models"), help="for the organs' other names")
    add("--tolerance", type=float, default=2.0, help="of the surface Dice, in mm")
    add("--save", type=Path, metavar="DIR", help="keep the record in this folder")
    add("--history", type=Path, metavar="DIR", help="table and plot of all records in a folder")
    add("--output", type=Path, default=Path("out/edits"), help="where table and plot go")
    parser.set_defaults(run=_edits)


def _add_blind(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("ct", type=Path)
    add("first", type=Path, help="an RTSTRUCT, or a folder with one")
    add("second", type=Path)
    add("--labels", nargs=2, default=("first", "second"), help="what the key calls them")
    add("--models", type=Path, default=Path("models"), help="for the organs' other names")
    add("--seed", default="0", help="another one draws another order")
    add("--output", type=Path, default=Path("out/blinded"), help="where page and key go")
    parser.set_defaults(run=_blind)


def _add_review(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", help="review-....json")
    parser.add_argument("--key", type=Path, nargs="+", default=(), help="of blinded comparisons")
    parser.set_defaults(run=_review)


def _chain(flags: argparse.Namespace) -> None:
    cases: Mapping[str, Case] = OpenKbp(flags.openkbp or shared("openkbp", "validation"))
    cache = flags.cache
    if flags.derived:
        cases, cache = DerivedSet(cases, flags.derived), cache / "derived"
    ids = _chosen(cases, flags)
    scores = evaluate(cases, ids, flags.models, cache, config=flags.config, position=flags.position)
    flags.output.mkdir(parents=True, exist_ok=True)
    page = markdown(
        scores,
        model_files(flags.models),
        title="The whole chain, from DICOM to RTSTRUCT"
        + (", against derived labels" if flags.derived else ""),
        command=shown(flags.command_line),
        date=today(),
        wrong=None if flags.derived else wrong_references(),
    )
    (flags.output / f"{flags.name}.md").write_text(page, encoding="utf-8")
    write_csv(flags.output / f"{flags.name}.csv", scores)
    LOGGER.info("%s", page)


def _systems(flags: argparse.Namespace) -> None:
    from oarflow.evaluation import systems  # noqa: PLC0415

    cases = OpenKbp(flags.openkbp or shared("openkbp", "validation"))
    ids = _chosen(cases, flags)
    about = dict(entry.partition("=")[::2] for entry in flags.about)
    names = [entry.partition("=")[0] for entry in flags.systems]
    if unknown := [name for name in about if name not in names]:
        raise ValueError(f"--about {unknown[0]}: no system is called so")
    found = []
    for entry in flags.systems:
        name, _, folder = entry.partition("=")
        if not folder:
            raise ValueError(f"{entry}: write NAME=MODELS")
        LOGGER.info("%s", name)
        scores = evaluate(cases, ids, Path(folder), flags.cache, config=flags.config)
        size = systems.Size.of(Path(folder))
        found.append(systems.System(name, size, scores, about.get(name, "")))
    flags.output.mkdir(parents=True, exist_ok=True)
    command = shown(flags.command_line)
    page = systems.markdown(found, title=flags.title, command=command, date=today())
    (flags.output / f"{flags.name}.md").write_text(page, encoding="utf-8")
    systems.write_csv(flags.output / f"{flags.name}.csv", found)
    LOGGER.info("%s", page)


def _overlays(flags: argparse.Namespace) -> None:
    from oarflow.evaluation.overlays import draw  # noqa: PLC0415  (matplotlib: only where drawn)

    for path in draw(flags.ct_dir, flags.rtstruct, flags.out_dir):
        LOGGER.info("%s", path)


def _benchmark(flags: argparse.Namespace) -> None:
    preload_cuda_runtime()
    from oarflow.evaluation.benchmark import Plan, benchmark  # noqa: PLC0415  (torch, MONAI)

    archive = None if flags.ct else shared("dicom", "hn_picker.tar.xz")
    plan = Plan(flags.ct, archive, flags.models, flags.matrix, flags.slices, flags.windows)
    page = benchmark(plan, runs=flags.runs, command=shown(flags.command_line))
    flags.output.mkdir(parents=True, exist_ok=True)
    (flags.output / "benchmark.md").write_text(page, encoding="utf-8")
    LOGGER.info("%s", page)


def _edits(flags: argparse.Namespace) -> None:
    if flags.history:
        _history(flags.history, flags.output)
        return
    if not (flags.out and flags.edited):
        raise ValueError("give the run's folder and the edited RTSTRUCT, or --history DIR")
    from oarflow.compare.edits import compare  # noqa: PLC0415
    from oarflow.evaluation.edits_page import markdown  # noqa: PLC0415

    catalogue = load_catalogue(flags.models)
    record = compare(flags.out, flags.edited, catalogue, ct=flags.ct, tolerance_mm=flags.tolerance)
    if flags.save:
        flags.save.mkdir(parents=True, exist_ok=True)
        name = f"edits-{record.rtstruct.replace('.', '-')}.json"
        (flags.save / name).write_text(record.as_json(), encoding="utf-8")
    LOGGER.info("%s", markdown(record))


def _history(folder: Path, output: Path) -> None:
    from oarflow.evaluation import edits_history as history  # noqa: PLC0415

    entries = history.read_entries(folder)
    page = history.markdown(entries)
    output.mkdir(parents=True, exist_ok=True)
    (output / "history.md").write_text(page, encoding="utf-8")
    history.write_csv(output / "history.csv", entries)
    history.plot(output / "history.png", entries)
    LOGGER.info("%s", page)


def _blind(flags: argparse.Namespace) -> None:
    from oarflow.evaluation.blinded import PAGE_NAME, Source, write_blinded  # noqa: PLC0415

    one, other = flags.labels
    sources = Source(one, flags.first), Source(other, flags.second)
    key = write_blinded(flags.ct, sources, flags.output, load_catalogue(flags.models), flags.seed)
    LOGGER.info("%s: %d contours", flags.output / PAGE_NAME, len(key.organs))


def _review(flags: argparse.Namespace) -> None:
    from oarflow.evaluation import blinded  # noqa: PLC0415
    from oarflow.evaluation.review import latest, read_review, summary  # noqa: PLC0415

    reviews = [read_review(path) for path in flags.files]
    told = blinded.unblinded(reviews, [blinded.read_key(path) for path in flags.key])
    LOGGER.info("%s", summary(told))
    if flags.key:
        LOGGER.info("%s", blinded.preferences(latest(told)))


def _chosen(cases: Mapping[str, Case], flags: argparse.Namespace) -> tuple[str, ...]:
    """The ids that a file names, OpenKBP's by number or whole, else all.

    Raises ValueError naming those that the folder does not hold.
    """
    if not flags.cases:
        return tuple(cases)
    ids = _ids(flags.cases, flags.part)
    if unknown := [one for one in ids if one not in cases]:
        raise ValueError(f"{flags.cases} names patients that are not there: {', '.join(unknown)}")
    return ids


def _ids(path: Path, part: str) -> tuple[str, ...]:
    """OpenKBP's ids in a file: one a line (`#` begins a remark), or a list of a split file."""
    if path.suffix in (".yaml", ".yml"):
        names = read_yaml(path, as_written=True)[part]
    else:
        lines = path.read_text(encoding="utf-8").splitlines()
        names = [bare for line in lines if (bare := line.split("#")[0].strip())]
    return tuple(map(openkbp_id, names))


if __name__ == "__main__":
    sys.exit(main())
