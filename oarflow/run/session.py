"""One run of the application: the one place where errors become exit statuses and result.json."""

from __future__ import annotations

import errno
import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from app.application import Job, OARflow
from oarflow.errors import ConfigurationError, ExitStatus, Fault, Refusal
from oarflow.intake import Intake, read_study, read_volume, studies
from oarflow.networks.store import ModelStore
from oarflow.organs import Catalogue, CatalogueError, load_catalogue
from oarflow.result import (
    FaultPart,
    Files,
    Result,
    Run,
    input_part,
    network_part,
    organ_parts,
    refusal_part,
    written_status,
)
from oarflow.rtstruct.catalogue import catalogue_specs
from oarflow.rtstruct.model import StructureSet
from oarflow.rtstruct.profile import SiteNames, load_profile, site_specs
from oarflow.rtstruct.provenance import Provenance, settings_digest
from oarflow.run.delivery import Delivery, Parcel
from oarflow.run.environment import chain, describe
from oarflow.run.paths import Paths
from oarflow.run.progress import ProgressKind, Silent, make_progress
from oarflow.run.reports import Reports, output_parts
from oarflow.run.settings import Settings, precedence, requested_organs
from oarflow.run.signals import StopOnSignal
from oarflow.watched import WatchedStore
from oarflow.writing import OutputFile, WritePlan, Written
from operators.intake_operator import Progress
from operators.stage import Journal

LOGGER = logging.getLogger(__name__)

_SEVERITY = (ExitStatus.WRITTEN, ExitStatus.HELD, ExitStatus.REFUSED, ExitStatus.FAULT)
"""Exit statuses of single studies, the worst last."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


@dataclass(frozen=True)
class Session:
    """A run with its settings.

    when: the run's time. started: time.monotonic() of the process's start.
    """

    paths: Paths
    settings: Settings
    when: datetime
    progress: str
    quiet: bool
    started: float

    def run(self, stop: StopOnSignal, each_study: bool = False) -> ExitStatus:
        """Contour the input. Raises ConfigurationError, with OUT as it was."""
        delivery = Delivery.open(self.paths.output, self.paths.input)
        stop.cleanup = delivery.abandon
        try:
            return self._run(delivery, each_study)
        finally:
            delivery.abandon()

    def _run(self, delivery: Delivery, each_study: bool) -> ExitStatus:
        setup = _Setup.of(self.paths, self.settings, self.when)
        observer = make_progress(ProgressKind(self.progress))
        parcels: list[Parcel] = []
        statuses = []
        worst = ExitStatus.USAGE  # what an error that leaves this block ends in
        try:
            for folder, read in self._inputs(delivery.out, each_study):
                case = _Case(self, setup, delivery, observer, folder)
                result, parcel = case.contour(read)
                parcels.append(parcel)
                statuses.append(ExitStatus(result.exit_status))
                if not each_study:
                    break
            delivery.commit(parcels)
            worst = max(statuses, key=_SEVERITY.index)
        finally:
            observer.ended(worst)
        self._print(parcels)
        return worst

    def _inputs(
        self, out: Path, each_study: bool
    ) -> Iterator[tuple[Path, Callable[[Progress], Intake]]]:
        """Where each study's results go, and what reads it."""
        rules = self.settings.rules
        if not each_study:
            yield out, partial(read_volume, self.paths.input, rules)
            return
        try:
            found = studies(self.paths.input)
        except Refusal as refusal:
            yield out, partial(_refuse, refusal)
            return
        for study in found:
            yield out / study.digest, partial(read_study, study, rules)

    def _print(self, parcels: list[Parcel]) -> None:
        from oarflow.run.table import print_result, print_trouble  # noqa: PLC0415  (rich takes a while)

        for parcel in parcels:
            result = Result.model_validate_json(parcel.result)
            if not self.quiet:
                print_result(result, sys.stdout)
            elif ProgressKind(self.progress) in (ProgressKind.AUTO, ProgressKind.BAR):
                print_trouble(result, sys.stderr)


def _refuse(refusal: Refusal, _: Progress) -> Intake:
    raise refusal


@dataclass(frozen=True)
class _Setup:
    """What is the same for every study of a run."""

    store: ModelStore
    organs: tuple[str, ...]
    precedence: tuple[str, ...]
    catalogue: Catalogue
    plan: Callable[[Path], WritePlan]
    reports: Reports
    device: str
    when: datetime
    settings: dict[str, Any]

    @classmethod
    def of(cls, paths: Paths, settings: Settings, when: datetime) -> _Setup:
        """Check everything that does not depend on the input. Raises ConfigurationError."""
        profile = load_profile(settings.profile)
        profile.check_label(settings.label)
        try:
            catalogue = load_catalogue(paths.models)
        except CatalogueError as error:
            raise ConfigurationError("CATALOGUE", str(error)) from error
        site = SiteNames(settings.rois.prefix, settings.rois.names, settings.rois.colours)
        specs = site_specs(catalogue_specs(catalogue), profile, site)
        trusted = settings.trusted_models
        store = ModelStore.open(
            paths.models,
            None if trusted is None else frozenset(trusted),
            settings.device,
            settings.threads,
        )
        in_force = settings.model_dump(mode="json")
        device = _device_name(store.device)
        provenance = Provenance(
            settings_digest(in_force),
            device,
            tuple(card.identity for _, card in sorted(store.cards.items())),
        )
        contours = settings.contours
        plan = partial(
            WritePlan,
            specs=specs,
            provenance=provenance,
            when=when,
            options=profile.contour_options(contours.tolerance_mm, contours.interpolate_gaps),
            label=settings.label,
            seg=settings.outputs.seg,
        )
        reports = Reports(settings.outputs, tuple(store.cards.values()), provenance, when)
        organs = requested_organs(settings, store.organs, catalogue)
        first = precedence(settings, catalogue)
        return cls(store, organs, first, catalogue, plan, reports, device, when, in_force)


@dataclass
class _Case:
    """One study on its way. folder: where its results go."""

    session: Session
    setup: _Setup
    delivery: Delivery
    observer: Silent
    folder: Path
    journal: Journal = field(init=False)
    store: WatchedStore = field(init=False)
    ready: tuple[Result, Parcel] | None = None

    def __post_init__(self) -> None:
        self.journal = Journal(self.observer)
        self.store = WatchedStore.of(self.setup.store)

    def contour(self, read: Callable[[Progress], Intake]) -> tuple[Result, Parcel]:
        """Run the graph; whatever happens, there is a result. Raises ConfigurationError."""
        record = self.journal.record
        record.stages["start"] = time.monotonic() - self.session.started
        job = Job(
            read=read,
            store=self.store,
            organs=self.setup.organs,
            organ_seconds=self.session.settings.organ_seconds,
            shifts=self.session.settings.shifts,
            precedence=self.setup.precedence,
            catalogue=self.setup.catalogue,
            plan=self.setup.plan(self.delivery.room(self.folder.name)),
            deliver=self._finish,
            mr=self.session.settings.mr_rule,
        )
        try:
            with _full_disk(self.delivery.out):
                OARflow(job, self.journal).run()
            if self.ready is None:
                raise Fault("the graph ended before its last operator")
            return self.ready
        except ConfigurationError:
            raise
        except Refusal as refusal:
            return self._without_files(
                ExitStatus.REFUSED, refusal=refusal_part(refusal), files=refusal.account
            )
        except Fault as fault:
            LOGGER.error("%s", fault)
            part = FaultPart(kind="FAULT", message=str(fault))
            return self._without_files(ExitStatus.FAULT, fault=part)
        except Exception as error:
            LOGGER.exception("the program failed")
            part = FaultPart(kind=type(error).__name__, message=describe(error))
            return self._without_files(ExitStatus.FAULT, fault=part)

    def _finish(self, written: Written) -> None:
        """The last operator's work: reports, result.json and the list of files to be named."""
        organs = organ_parts(written.segmentations, written.notes)
        settings = self.session.settings
        status = written_status(organs, settings.strict)
        over = _over_memory(settings.memory_gb, self.setup.device)
        if settings.strict and status is ExitStatus.WRITTEN and over:
            status = ExitStatus.HELD
        result = partial(self._result, status, organs=organs)
        self.ready = self._packed(result, written.files, written.structures)

    def _without_files(
        self, status: ExitStatus, files: dict[str, object] | None = None, **parts: Any
    ) -> tuple[Result, Parcel]:
        if files is not None:
            parts["files"] = Files.model_validate(files)
        organs = organ_parts(self.journal.record.segmentations.values(), {})
        result = partial(self._result, status, organs=organs, **parts)
        try:
            return self._packed(result)
        except Exception:  # what the report would have said stands in result.json
            LOGGER.exception("the report could not be written")
            final = result()
            return final, Parcel(self.folder, (), final.as_json())

    def _packed(
        self,
        result: Callable[..., Result],
        files: tuple[OutputFile, ...] = (),
        structures: StructureSet | None = None,
    ) -> tuple[Result, Parcel]:
        """The final result and all files, the reports among them. result: makes it of outputs."""
        reports, record = self.setup.reports, self.journal.record
        if reports.wanted:
            started = time.monotonic()
            volume = record.intake.volume if record.intake and structures else None
            folder = self.delivery.room(self.folder.name)
            so_far = result(outputs=output_parts(files))
            files += reports.write(folder, so_far, volume, structures)
            record.stages["report"] = time.monotonic() - started
        final = result(outputs=output_parts(files))
        named = tuple((item.name, item.path) for item in files)
        return final, Parcel(self.folder, named, final.as_json())

    def _result(self, status: ExitStatus, **parts: Any) -> Result:
        record = self.journal.record
        if record.intake is not None:
            memory = _over_memory(self.session.settings.memory_gb, self.setup.device)
            notes = (*record.intake.notes, *memory)
            parts["input"] = input_part(record.intake.volume, notes)
            parts.setdefault("files", Files.model_validate(record.intake.account.as_json()))
        gpu = _peak_gpu_memory_mb(self.setup.device)
        return Result(
            run=Run(
                started=self.setup.when.isoformat(),
                seconds=round(time.monotonic() - self.session.started, 3),
                stages={name: round(seconds, 3) for name, seconds in record.stages.items()},
                device=self.setup.device,
                peak_memory_mb=round(_peak_memory_mb(), 1),
                peak_gpu_memory_mb=None if gpu is None else round(gpu, 1),
                networks=tuple(
                    network_part(card.identity, card.role.value) for card in self.store.ran.values()
                ),
            ),
            exit_status=int(status),
            settings=self.setup.settings,
            **parts,
        )


@contextmanager
def _full_disk(out: Path) -> Iterator[None]:
    """A full or read-only disk is the site's to mend, not a fault of the program."""
    try:
        yield
    except Exception as error:
        for link in chain(error):  # libraries raise a new error, without its number, from the first
            if isinstance(link, OSError) and link.errno in _NO_ROOM:
                raise ConfigurationError(
                    "OUTPUT_NOT_WRITABLE", f"output {out} cannot be written: {link.strerror}"
                ) from error
        raise


def _device_name(device: str) -> str:
    if not device.startswith("cuda"):
        return device
    import torch  # noqa: PLC0415  (loaded by now)

    return f"{device} {torch.cuda.get_device_name(device)}"


def _over_memory(limit_gb: float | None, device: str | None) -> tuple[str, ...]:
    """What is to be said of peaks beyond the limit, of the process's memory and of the GPU's."""
    gpu = _peak_gpu_memory_mb(device)
    peaks = {"memory": _peak_memory_mb(), "GPU memory": 0.0 if gpu is None else gpu}
    if limit_gb is None:
        return ()
    return tuple(
        f"the run took {mb / 1024:.1f} GiB of {kind}, more than memory_gb: {limit_gb:g}"
        for kind, mb in peaks.items()
        if mb / 1024 > limit_gb
    )


def _peak_gpu_memory_mb(device: str | None) -> float | None:
    """Most that torch held on the GPU at once so far, in MiB; None where the run uses none."""
    if device is None or not device.startswith("cuda"):
        return None
    import torch  # noqa: PLC0415  (loaded by now)

    return float(torch.cuda.max_memory_allocated()) / 2**20


def _peak_memory_mb() -> float:
    """Greatest resident size of this process so far, in MiB (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
