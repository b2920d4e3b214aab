"""A clinic's patients through the application, measured against the clinic's own contours."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from oarflow.clock import run_time
from oarflow.datasets.cases import Case
from oarflow.datasets.clinic import by_organ, contents, patient_folders, read_case
from oarflow.errors import Refusal
from oarflow.evaluation.application import FinishedRun, model_files, program_digest, run_application
from oarflow.evaluation.commissioning.decisions import decide
from oarflow.evaluation.commissioning.record import (
    CommissioningRecord,
    MeasuredContour,
    Patient,
    network,
)
from oarflow.evaluation.commissioning.thresholds import Thresholds
from oarflow.evaluation.scoring.outcomes import contoured_masks, outcomes
from oarflow.evaluation.scoring.requested import not_requested
from oarflow.intake.scan import scan
from oarflow.organs import Catalogue, load_catalogue
from oarflow.result import ResultDocument, read_document
from oarflow.rtstruct.errors import ReadError
from oarflow.rtstruct.frames import on_frame
from oarflow.rtstruct.reader import read_structure_set
from oarflow.tables import write_csv

LOGGER = logging.getLogger(__name__)

KEY_NAME = "patients.csv"
"""Which folder is which patient of the record: for the clinic alone."""


@dataclass(frozen=True)
class Plan:
    """What to commission. work: where the application's runs are kept, so that a stopped
    commissioning goes on. config: settings file for the application.
    """

    patients: Path
    models: Path
    thresholds: Thresholds
    work: Path
    clinic: str = ""
    config: Path | None = None


@dataclass(frozen=True)
class Unreadable:
    """A patient whose CT is refused. organs: what the clinic contoured on it."""

    code: str
    detail: str
    organs: tuple[str, ...]
    unmapped: int


@dataclass(frozen=True)
class Commissioned:
    """The record, and the folder of each patient by its number in the record."""

    record: CommissioningRecord
    folders: Mapping[str, str]


def commission(plan: Plan) -> Commissioned:
    """Contour every patient and decide on every organ.

    Raises ValueError where there is no patient, or one cannot be read as a CT with one RTSTRUCT on
    it (numbered, since a folder's name may be a person's), RunError where the application left no
    result.
    """
    folders = patient_folders(plan.patients)
    if not folders:
        raise ValueError(f"no folder with DICOM files in {plan.patients}")
    catalogue = load_catalogue(plan.models)
    settings = hashlib.sha256(plan.config.read_bytes()).hexdigest() if plan.config else ""
    program = program_digest(plan.models, {"config": settings})
    patients: list[Patient] = []
    measured: list[MeasuredContour] = []
    numbers = {f"P{k:03d}": name for k, name in enumerate(folders, start=1)}
    networks = tuple(network(file) for file in model_files(plan.models))
    contoured = frozenset(organ for one in networks for organ in one.organs)
    in_force: dict[str, object] = {}
    for number, name in numbers.items():
        try:
            case = _read(folders[name], number, catalogue)
        except (ValueError, ReadError) as error:
            raise ValueError(f"{number} (folders counted by name): {error}") from None
        run = _run(folders[name], plan, program, name)
        if isinstance(case, Unreadable) and run.result.refusal is None:
            raise ValueError(f"{number} (folders counted by name): {case.detail}")
        in_force = run.result.settings or in_force
        patients.append(_patient(number, folders[name], case, run))
        drawn = tuple(case.masks) if isinstance(case, Case) else case.organs
        left_out = {
            organ: why
            for organ in drawn
            if (why := not_requested(organ, run.result, contoured, catalogue)) is not None
        }
        measured += [MeasuredContour.without_figures(number, *item) for item in left_out.items()]
        if isinstance(case, Case):
            asked = [organ for organ in drawn if organ not in left_out]
            measured += _measured(case, asked, run, plan.thresholds.tolerance_mm, catalogue)
        else:
            measured += _missed(number, case, left_out)
        LOGGER.info("%d/%d %s: %s", len(patients), len(numbers), number, _summary_line(run.result))
    record = CommissioningRecord(
        made=run_time().isoformat(timespec="seconds"),
        clinic=plan.clinic,
        program_sha256=program,
        settings=in_force,
        thresholds=plan.thresholds,
        networks=networks,
        patients=tuple(patients),
        decisions=decide(networks, plan.thresholds, measured),
        measured=tuple(measured),
    )
    return Commissioned(record.sealed(), numbers)


def _read(folder: Path, number: str, catalogue: Catalogue) -> Case | Unreadable:
    """Raises ValueError and ReadError as `read_case`; a refused CT leaves what was drawn on it."""
    try:
        return read_case(folder, number, catalogue)
    except Refusal as refusal:
        found = [read_structure_set(path) for path in contents(scan(folder)).structure_sets]
        if not found:
            raise ValueError(f"{refusal}; there is no RTSTRUCT either") from None
        if len(found) > 1:
            raise ValueError(f"{refusal}; {len(found)} RTSTRUCT, leave exactly one") from None
        rois, unmapped = by_organ(on_frame(found[0], None)[0], catalogue)
        return Unreadable(refusal.code.value, str(refusal), tuple(rois), len(unmapped))


def write_key(path: Path, folders: Mapping[str, str]) -> None:
    """One line a patient: the record's number and the folder's name."""
    write_csv(path, ("patient", "folder"), folders.items())


def _run(ct: Path, plan: Plan, program: str, name: str) -> FinishedRun:
    """The application's run of one patient; one that this program finished is not done again."""
    out = plan.work / program[:16] / hashlib.sha256(name.encode()).hexdigest()[:16]
    done = out / "result.json"
    if done.is_file():
        result = read_document(done.read_bytes())
        if result.input is None or result.input.pixel_sha256 == _pixels(ct):
            files = [out / part.path for part in result.outputs if part.kind == "RTSTRUCT"]
            return FinishedRun(result, files[0] if files else None)
        raise ValueError(f"a CT was changed since it was contoured; remove {plan.work}")
    out.mkdir(parents=True, exist_ok=True)
    flags = ("-c", str(plan.config.resolve())) if plan.config else ()
    return run_application(ct, out, plan.models.resolve(), flags)


def _pixels(ct: Path) -> str:
    from oarflow.intake import read_volume

    return read_volume(ct).volume.source.pixel_digest


def _patient(number: str, folder: Path, case: Case | Unreadable, run: FinishedRun) -> Patient:
    digest = hashlib.sha256()
    for path in sorted(contents(scan(folder)).structure_sets):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    result = run.result
    refusal = result.refusal.code.value if result.refusal else None
    if isinstance(case, Unreadable):
        refusal, unmapped, remarks = refusal or case.code, case.unmapped, {}
    else:
        unmapped, remarks = len(case.unmapped), dict(case.remarks)
    return Patient(
        patient=number,
        pixel_sha256=result.input.pixel_sha256 if result.input else None,
        reference_sha256=digest.hexdigest(),
        rtstruct_sha256=hashlib.sha256(run.rtstruct.read_bytes()).hexdigest()
        if run.rtstruct
        else None,
        refusal=refusal,
        unmapped=unmapped,
        remarks=tuple(f"{organ}: {words}" for organ, words in remarks.items()),
    )


def _missed(number: str, patient: Unreadable, left_out: Collection[str]) -> list[MeasuredContour]:
    """Every organ that the clinic contoured and the run was asked for, as not contoured by us."""
    return [
        MeasuredContour(
            patient=number,
            organ=organ,
            status="refused",
            flags=(patient.code,),
            dsc=0.0,
            hd95_mm=None,
            surface_dice=0.0,
            volume_cc=0.0,
            reference_cc=None,
            swapped=False,
            model_sha256=None,
        )
        for organ in patient.organs
        if organ not in left_out
    ]


def _measured(
    case: Case, organs: Iterable[str], run: FinishedRun, tolerance_mm: float, catalogue: Catalogue
) -> list[MeasuredContour]:
    masks = {}
    if run.rtstruct is not None:
        masks = contoured_masks(run.rtstruct, run.result, case.grid, catalogue)
    return [
        MeasuredContour(
            patient=one.case,
            organ=one.organ,
            status=one.status,
            flags=one.flags,
            dsc=one.score.dsc,
            hd95_mm=one.hd95_mm,
            surface_dice=one.score.surface_dice,
            volume_cc=one.score.volume_cc,
            reference_cc=one.score.reference_cc,
            swapped=one.swapped,
            model_sha256=one.model_sha256,
        )
        for one in outcomes(case, run.result, masks, organs, catalogue, tolerance_mm=tolerance_mm)
    ]


def _summary_line(result: ResultDocument) -> str:
    if result.refusal:
        return f"refused, {result.refusal.code.value}"
    return f"{len(result.organs)} organs in {result.run.seconds:.0f} s"
