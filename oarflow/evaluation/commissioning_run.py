"""A clinic's patients through the application, measured against the clinic's own contours."""

from __future__ import annotations

import csv
import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oarflow.compare.overlap import dice
from oarflow.datasets.cases import Case
from oarflow.datasets.clinic import by_organ, contents, patient_folders, read_case
from oarflow.errors import Refusal
from oarflow.evaluation.agreement import score
from oarflow.evaluation.application import Run, model_files, program_digest, run_application
from oarflow.evaluation.asked import unasked
from oarflow.evaluation.commissioning import Measured, Patient, Record, Thresholds, decide, network
from oarflow.evaluation.scores import flag_codes, read_masks
from oarflow.geometry import Mask
from oarflow.intake.scan import scan
from oarflow.organs import Catalogue, load_catalogue
from oarflow.result import ResultDocument, read_document
from oarflow.rtstruct.errors import ReadError
from oarflow.rtstruct.frames import on_frame
from oarflow.rtstruct.provenance import run_time
from oarflow.rtstruct.reader import read_structure_set

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

    record: Record
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
    measured: list[Measured] = []
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
            if (why := unasked(organ, run.result, contoured, catalogue)) is not None
        }
        measured += [Measured.without_figures(number, *item) for item in left_out.items()]
        if isinstance(case, Case):
            asked = [organ for organ in drawn if organ not in left_out]
            measured += _measured(case, asked, run, plan.thresholds.tolerance_mm, catalogue)
        else:
            measured += _missed(number, case, left_out)
        LOGGER.info("%d/%d %s: %s", len(patients), len(numbers), number, _in_short(run.result))
    record = Record(
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
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["patient", "folder"])
        writer.writerows(folders.items())


def _run(ct: Path, plan: Plan, program: str, name: str) -> Run:
    """The application's run of one patient; one that this program finished is not done again."""
    out = plan.work / program[:16] / hashlib.sha256(name.encode()).hexdigest()[:16]
    done = out / "result.json"
    if done.is_file():
        result = read_document(done.read_bytes())
        if result.input is None or result.input.pixel_sha256 == _pixels(ct):
            files = [out / part.path for part in result.outputs if part.kind == "RTSTRUCT"]
            return Run(result, files[0] if files else None)
        raise ValueError(f"a CT was changed since it was contoured; remove {plan.work}")
    out.mkdir(parents=True, exist_ok=True)
    flags = ("-c", str(plan.config.resolve())) if plan.config else ()
    return run_application(ct, out, plan.models.resolve(), flags)


def _pixels(ct: Path) -> str:
    from oarflow.intake import read_volume  # noqa: PLC0415

    return read_volume(ct).volume.source.pixel_digest


def _patient(number: str, folder: Path, case: Case | Unreadable, run: Run) -> Patient:
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


def _missed(number: str, patient: Unreadable, left_out: Collection[str]) -> list[Measured]:
    """Every organ that the clinic contoured and the run was asked for, as not contoured by us."""
    return [
        Measured(
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
    case: Case, asked: Iterable[str], run: Run, tolerance_mm: float, catalogue: Catalogue
) -> list[Measured]:
    drawn = _drawn(case, run, catalogue)
    parts = {part.name: part for part in run.result.organs}
    found = []
    for organ in asked:
        truth = case.masks[organ]
        if not truth.any():
            continue
        mask = drawn.get(organ, np.zeros_like(truth))
        one = score(case.id, organ, mask, truth, case.spacing_zyx, tolerance_mm=tolerance_mm)
        part = parts.get(organ)
        found.append(
            Measured(
                patient=case.id,
                organ=organ,
                status=part.status.value if part else "no result",
                flags=flag_codes(run.result, part),
                dsc=one.dsc,
                hd95_mm=one.hd95_mm if np.isfinite(one.hd95_mm) else None,
                surface_dice=one.surface_dice,
                volume_cc=one.volume_cc,
                reference_cc=one.reference_cc,
                swapped=_swapped(case, organ, mask, one.dsc, catalogue),
                model_sha256=part.model.sha256 if part and part.model else None,
            )
        )
    return found


def _drawn(case: Case, run: Run, catalogue: Catalogue) -> dict[str, Mask]:
    """Our contours by catalogue name, whatever the site's settings call them."""
    if run.rtstruct is None:
        return {}
    rois = run.result.settings.get("rois", {})
    prefix, names = rois.get("prefix", ""), rois.get("names", {})
    called = {prefix + names.get(organ.name, organ.name): organ.name for organ in catalogue}
    masks = read_masks(run.rtstruct, case.grid)
    return {called[name]: mask for name, mask in masks.items() if name in called}


def _swapped(case: Case, organ: str, mask: Mask, own: float, catalogue: Catalogue) -> bool:
    partner = catalogue.organ(organ).partner
    if partner is None or partner not in case.masks:
        return False
    return dice(mask, case.masks[partner]) > own


def _in_short(result: ResultDocument) -> str:
    if result.refusal:
        return f"refused, {result.refusal.code.value}"
    return f"{len(result.organs)} organs in {result.run.seconds:.0f} s"
