"""What `oarflow evaluate chain` and `systems` do: the application on OpenKBP's patients."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path

from oarflow.datasets.cases import Case
from oarflow.datasets.derived.store import DerivedSet
from oarflow.datasets.openkbp import OpenKbp
from oarflow.datasets.split import openkbp_id, wrong_references
from oarflow.errors import ConfigurationError
from oarflow.evaluation.application import model_files
from oarflow.evaluation.chain import systems as side_by_side
from oarflow.evaluation.chain.page import markdown, write_scores
from oarflow.evaluation.chain.run import evaluate
from oarflow.evaluation.chain.systems import Size, System
from oarflow.evaluation.invocation import as_typed, data_folder, today
from oarflow.yaml_files import read_yaml

LOGGER = logging.getLogger("oarflow.evaluation")


def chain(flags: argparse.Namespace) -> None:
    """Dice of the whole chain on OpenKBP, or against derived labels."""
    cases: Mapping[str, Case] = OpenKbp(flags.data or data_folder("openkbp", "validation"))
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
        command=as_typed(flags.command_line),
        date=today(),
        wrong=None if flags.derived else wrong_references(),
    )
    (flags.output / f"{flags.name}.md").write_text(page, encoding="utf-8")
    write_scores(flags.output / f"{flags.name}.csv", scores)
    LOGGER.info("%s", page)


def systems(flags: argparse.Namespace) -> None:
    """Several models folders through the whole chain, one table."""
    cases = OpenKbp(flags.data or data_folder("openkbp", "validation"))
    ids = _chosen(cases, flags)
    about = dict(entry.partition("=")[::2] for entry in flags.about)
    names = [entry.partition("=")[0] for entry in flags.systems]
    if unknown := [name for name in about if name not in names]:
        raise ConfigurationError("USAGE", f"--about {unknown[0]}: no system is called so")
    found = []
    for entry in flags.systems:
        name, _, folder = entry.partition("=")
        if not folder:
            raise ConfigurationError("USAGE", f"{entry}: write NAME=MODELS")
        LOGGER.info("%s", name)
        scores = evaluate(cases, ids, Path(folder), flags.cache, config=flags.config)
        size = Size.of(Path(folder))
        found.append(System(name, size, scores, about.get(name, "")))
    flags.output.mkdir(parents=True, exist_ok=True)
    command = as_typed(flags.command_line)
    page = side_by_side.markdown(found, title=flags.title, command=command, date=today())
    (flags.output / f"{flags.name}.md").write_text(page, encoding="utf-8")
    side_by_side.write_scores(flags.output / f"{flags.name}.csv", found)
    LOGGER.info("%s", page)


def _chosen(cases: Mapping[str, Case], flags: argparse.Namespace) -> tuple[str, ...]:
    """The ids that a file names, OpenKBP's by number or whole, else all.

    Raises ValueError naming those that the folder does not hold.
    """
    if not flags.cases:
        return tuple(cases)
    ids = ids_of(flags.cases, flags.part)
    if unknown := [one for one in ids if one not in cases]:
        raise ValueError(f"{flags.cases} names patients that are not there: {', '.join(unknown)}")
    return ids


def ids_of(path: Path, part: str) -> tuple[str, ...]:
    """OpenKBP's ids in a file: one a line (`#` begins a remark), or a list of a split file."""
    if path.suffix in (".yaml", ".yml"):
        names = read_yaml(path, as_written=True)[part]
    else:
        lines = path.read_text(encoding="utf-8").splitlines()
        names = [bare for line in lines if (bare := line.split("#")[0].strip())]
    return tuple(map(openkbp_id, names))
