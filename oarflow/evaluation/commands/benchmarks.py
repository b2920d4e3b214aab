"""What `oarflow evaluate benchmark…`, `rtstruct-roundtrip` and `margins` do."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from oarflow.errors import ExitStatus
from oarflow.evaluation.invocation import as_typed, data_folder

LOGGER = logging.getLogger("oarflow.evaluation")


def stages(flags: argparse.Namespace) -> None:
    """Seconds and memory of the application by stage."""
    from oarflow.runtime import preload_cuda_runtime

    preload_cuda_runtime()
    from oarflow.evaluation.benchmarks.stages import TimedStudy, benchmark

    archive = None if flags.ct else data_folder("dicom", "hn_picker.tar.xz")
    study = TimedStudy(flags.ct, archive, flags.models, flags.matrix, flags.slices, flags.windows)
    page = benchmark(study, runs=flags.runs, command=as_typed(flags.command_line))
    flags.output.mkdir(parents=True, exist_ok=True)
    (flags.output / "benchmark.md").write_text(page, encoding="utf-8")
    LOGGER.info("%s", page)


def versions(flags: argparse.Namespace) -> None:
    """Processor time beside an earlier version."""
    from oarflow.evaluation.benchmarks.stages import TimedStudy
    from oarflow.evaluation.benchmarks.versions import benchmark

    archive = None if flags.ct else data_folder("dicom", "hn_picker.tar.xz")
    study = TimedStudy(flags.ct, archive, flags.models, flags.matrix, flags.slices, 0)
    command = as_typed(flags.command_line)
    page = benchmark(study, flags.checkout.resolve(), runs=flags.runs, command=command)
    flags.output.write_text(page, encoding="utf-8")
    LOGGER.info("%s", page)


def profile(flags: argparse.Namespace) -> None:
    """Processor time by kind of work."""
    from oarflow.evaluation.benchmarks.profile import profile as profiled
    from oarflow.evaluation.benchmarks.stages import TimedStudy, study_folder

    archive = None if flags.ct else data_folder("dicom", "hn_picker.tar.xz")
    study = TimedStudy(flags.ct, archive, flags.models, flags.matrix, flags.slices, 0)
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        ct = study_folder(study, Path(name))
        text = profiled(ct, flags.models, as_typed(flags.command_line))
    flags.output.write_text(text, encoding="utf-8")
    LOGGER.info("%s", text)


def devices(flags: argparse.Namespace) -> ExitStatus:
    """Processor and GPU. Returns 1 where a contour or a status differs."""
    from oarflow.runtime import preload_cuda_runtime

    preload_cuda_runtime()
    from oarflow.evaluation.benchmarks.devices import compare_devices, page

    found = compare_devices({folder.name: folder for folder in flags.ct}, flags.models)
    text = page(found, as_typed(flags.command_line))
    flags.output.write_text(text, encoding="utf-8")
    LOGGER.info("%s", text)
    equal = all(organ.equal for ct in found for organ in ct.organs)
    return ExitStatus.WRITTEN if equal else ExitStatus.FAULT


def imported(flags: argparse.Namespace) -> None:
    """Imported networks of full size, beside nnunetv2's predictor."""
    from oarflow.evaluation.benchmarks.imported import (
        SIZES,
        benchmark,
        longest,
        nnunet_python,
        page,
    )

    found = benchmark(SIZES, flags.tiles, flags.rounds, flags.environments)
    with_peer = nnunet_python(flags.environments) is not None
    command = as_typed(flags.command_line)
    text = page(found, longest(SIZES[0]), command, with_peer=with_peer)
    flags.output.write_text(text, encoding="utf-8")
    LOGGER.info("%s", text)


def receiving(flags: argparse.Namespace) -> None:
    """The node beside Orthanc and dcmtk's storescp."""
    from oarflow.evaluation.benchmarks.receiving import benchmark, page

    parent = flags.folder or Path(tempfile.gettempdir())
    transfers = benchmark(flags.ct, flags.runs, parent)
    flags.output.write_text(page(transfers, flags.ct), encoding="utf-8")
    LOGGER.info("%s", flags.output)


def throughput(flags: argparse.Namespace) -> None:
    """Studies an hour of the node, with and without warm processes."""
    from oarflow.evaluation.benchmarks.throughput import benchmark

    page = benchmark(
        flags.ct.resolve(),
        flags.models.resolve(),
        studies=flags.studies,
        rounds=flags.rounds,
        workers=flags.workers,
        command=as_typed(flags.command_line),
    )
    flags.output.write_text(page, encoding="utf-8")
    LOGGER.info("%s", page)


def rtstruct(flags: argparse.Namespace) -> None:
    """Writing an RTSTRUCT, beside rt-utils; Markdown or JSON on standard output."""
    from oarflow.evaluation.benchmarks.rtstruct import benchmark, page

    figures = benchmark(flags.environments)
    text = json.dumps([asdict(one) for one in figures]) + "\n" if flags.json else page(figures)
    sys.stdout.write(text)


def roundtrip(flags: argparse.Namespace) -> ExitStatus:
    """Real organ shapes to RTSTRUCT and back. Returns 1 where an organ misses its limits."""
    from oarflow.evaluation.benchmarks.roundtrip import page, round_trip, scans

    folder = flags.data or data_folder("tcia-oars")
    chosen = scans(folder)
    if not chosen:
        raise ValueError(f"no scan (*/*/*.npz) in {folder}")
    if flags.scans:
        chosen = chosen[:: max(1, len(chosen) // flags.scans)][: flags.scans]
    results = []
    for number, scan in enumerate(chosen, start=1):
        results += round_trip(scan)
        sys.stderr.write(f"\r{number} of {len(chosen)} scans")
    sys.stderr.write("\n")
    flags.output.parent.mkdir(parents=True, exist_ok=True)
    flags.output.write_text(page(results, len(chosen)), encoding="utf-8")
    passed = results and all(result.passed for result in results)
    return ExitStatus.WRITTEN if passed else ExitStatus.FAULT


def margins(flags: argparse.Namespace) -> None:
    """Margins of shapes against formulas, beside SimpleITK and plastimatch."""
    from oarflow.evaluation.margins.page import write_page

    flags.output.parent.mkdir(parents=True, exist_ok=True)
    write_page(flags.output, as_typed(flags.command_line))


def many_organs(flags: argparse.Namespace) -> None:
    """A run with the organs of imported networks, too."""
    from oarflow.evaluation.benchmarks.many_organs import benchmark, page
    from oarflow.evaluation.benchmarks.stages import TimedStudy, study_folder

    archive = None if flags.ct else data_folder("dicom", "hn_picker.tar.xz")
    study = TimedStudy(flags.ct, archive, flags.models, matrix=512, slices=186, windows=0)
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        found = benchmark(study_folder(study, Path(name)), flags.models, Path(name))
    text = page(found, as_typed(flags.command_line))
    flags.output.write_text(text, encoding="utf-8")
    LOGGER.info("%s", text)
