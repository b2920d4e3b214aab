"""Commissioning: limits decide by hand's figures, and the record is bound to what was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydicom import dcmread

from oarflow.commands import main
from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case
from oarflow.datasets.references import write_references
from oarflow.errors import Code, Finding, Refusal
from oarflow.evaluation.application import FinishedRun
from oarflow.evaluation.commissioning.decisions import decide, figures
from oarflow.evaluation.commissioning.record import MeasuredContour, Network, read_record
from oarflow.evaluation.commissioning.thresholds import (
    AcceptanceLimits,
    Thresholds,
    read_thresholds,
)
from oarflow.evaluation.scoring.requested import not_requested, requested
from oarflow.locations import ROOT
from oarflow.organs import load_catalogue
from oarflow.result import ModelPart, OrganPart, ResultDocument, refusal_part
from oarflow.run.settings import Settings
from oarflow.structures import Status
from tests.oarflow.evaluation.cases import made_up, result

CATALOGUE = load_catalogue()
PAROTID = Network(
    folder="Parotid_L", name="oarflow/p", version="1", sha256="ab" * 32, organs=("Parotid_L",)
)


def one(dsc: float, **changes: Any) -> MeasuredContour:
    plain: dict[str, Any] = {
        "patient": "P001",
        "organ": "Parotid_L",
        "status": "segmented",
        "flags": (),
        "dsc": dsc,
        "hd95_mm": 4.0,
        "surface_dice": 0.9,
        "volume_cc": 22.0,
        "reference_cc": 20.0,
        "swapped": False,
        "model_sha256": PAROTID.sha256,
    }
    return MeasuredContour(**plain | changes)


def test_figures_by_hand() -> None:
    found = figures(
        [
            one(0.9, hd95_mm=2.0),
            one(0.7, volume_cc=15.0, hd95_mm=5.0),
            one(0.2, hd95_mm=9.0, swapped=True),
            one(0.1, flags=("odd",)),
            one(0.0, volume_cc=0.0, hd95_mm=None, status="absent"),
        ]
    )
    assert found["patients"] == 5
    assert found["mean_dsc"] == pytest.approx(1.9 / 5)
    assert found["lowest_dsc"] == 0.0
    assert found["median_hd95_mm"] == 4.5
    assert found["greatest_hd95_mm"] == 9.0
    assert found["mean_volume_error"] == pytest.approx((0.1 + 0.25 + 0.1 + 0.1 + 1.0) / 5)
    # The one of 0.1 had a flag, the missing one is said to be absent.
    assert (found["missed"], found["silent_failures"], found["swapped"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("limits", "reasons"),
    [
        ({"mean_dsc": 0.8, "patients": 2}, ()),
        ({"mean_dsc": 0.81}, ("mean Dice 0.8 is below 0.81",)),
        ({"lowest_dsc": 0.75, "missed": 0}, ("lowest Dice 0.7 is below 0.75",)),
        ({"patients": 10}, ("patients 2 is below 10",)),
        ({"greatest_hd95_mm": 3.9}, ("greatest HD95 (mm) 4 is above 3.9",)),
        ({"mean_volume_error": 0.1001}, ()),
        ({}, ("no limit is set for this organ",)),
    ],
)
def test_limits_decide(limits: dict[str, float], reasons: tuple[str, ...]) -> None:
    thresholds = Thresholds(organs={"Parotid_L": AcceptanceLimits(**limits)})
    (found,) = decide([PAROTID], thresholds, [one(0.9), one(0.7)])
    assert (found.allowed, found.reasons) == (not reasons, reasons)


def test_what_is_not_asked_for_is_not_released() -> None:
    no_limit, wrong = decide(
        [PAROTID], Thresholds(organs={"Larynx": AcceptanceLimits(mean_dsc=0.5)}), [one(0.9)]
    )
    assert no_limit.reasons == ("no limit is set for this organ",)
    assert wrong.reasons == (
        "no network contours this organ",
        "mean Dice cannot be measured",
        "no patient has a clinical contour of this organ",
    )
    other = decide(
        [PAROTID],
        Thresholds(organs={"Parotid_L": AcceptanceLimits(mean_dsc=0.5)}),
        [one(0.9, model_sha256="cd" * 32)],
    )
    assert "another network" in other[0].reasons[0]
    assert Thresholds(default=AcceptanceLimits(mean_dsc=0.5)).of("Parotid_L") is None


def test_default_limits_without_the_organ_are_not_called_no_limits() -> None:
    default = AcceptanceLimits(mean_dsc=0.5)
    (found,) = decide([PAROTID], Thresholds(default=default), [one(0.9)])
    assert found.reasons == ("the limits do not name this organ; default limits need its name",)
    (named,) = decide(
        [PAROTID], Thresholds(default=default, organs={"Parotid_L": AcceptanceLimits()}), [one(0.9)]
    )
    assert named.allowed


def asking_for(*organs: str, refused: bool = False) -> ResultDocument:
    """A run whose settings name organs, which it contoured or was refused for."""
    settings = {"organs": list(organs)}
    if refused:
        found = refusal_part(Refusal(Finding(Code.GANTRY_TILT, "5 degrees")))
        return result(refusal=found, settings=settings)
    return result(dict.fromkeys(organs, Status.ABSENT), settings=settings)


@pytest.mark.parametrize("refused", [False, True])
def test_what_the_settings_leave_out_is_not_asked_and_has_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    """The clinic drew four organs; networks know two of them, the settings ask for the parotid."""
    monkeypatch.setattr(
        "oarflow.evaluation.commissioning.run.run_application",
        lambda *_: (
            FinishedRun(asking_for("lt parotid", refused=True), None)
            if refused
            else FinishedRun(asking_for("Parotid_L"), None)
        ),
    )
    patient(tmp_path / "patients" / "a")
    (tmp_path / "t.yaml").write_text(
        "default: {missed: 0}\norgans: {Parotid_L: {}, SpinalCord: {}}"
    )
    flags = ["--data", str(tmp_path / "patients"), "--thresholds", str(tmp_path / "t.yaml")]
    flags += ["--models", str(models(tmp_path / "models")), "--work", str(tmp_path / "work")]
    assert main(["commission", *flags, "--output", str(tmp_path / "out")]) == 0
    record = read_record(tmp_path / "out" / "record.json")
    found = {one.organ: one for one in record.measured}
    assert found.keys() == {"Parotid_L", "Parotid_R", "SpinalCord", "Larynx"}
    assert found["Parotid_L"].missed
    for organ in ("Parotid_R", "SpinalCord", "Larynx"):
        left = found[organ]
        assert left.status == "not asked"
        assert (left.dsc, left.hd95_mm, left.surface_dice, left.volume_cc) == (None,) * 4
        assert not left.missed
        assert not left.silent_failure
    decisions = {one.organ: one for one in record.decisions}
    assert decisions["Parotid_L"].reasons == ("missed 1 is above 0",)
    assert decisions["SpinalCord"].reasons == ("the settings leave this organ out",)
    assert decisions["SpinalCord"].figures["patients"] == 0
    assert decisions["SpinalCord"].figures["mean_dsc"] is None
    page = (tmp_path / "out" / "record.html").read_text()
    assert "not asked" in page
    assert (tmp_path / "out" / "record.pdf").stat().st_size > 1000


def test_an_organ_without_a_network_has_no_figures() -> None:
    asked = asking_for("Parotid_L").model_copy(
        update={"organs": result({"Parotid_L": Status.NO_MODEL}).organs}
    )
    assert not_requested("Parotid_L", asked, (), CATALOGUE) == "no_model"
    assert not_requested("Larynx", result(), ("Parotid_L",), CATALOGUE) == "no_model"
    assert not_requested("Larynx", result(), ("Larynx",), CATALOGUE) is None
    left = MeasuredContour.without_figures("P001", "Parotid_L", "no_model")
    assert figures([left, one(0.9)]) == figures([one(0.9)])


def test_a_chain_does_not_score_what_was_not_asked() -> None:
    case = made_up("a")
    organs = frozenset({"Parotid_L", "SpinalCord"})
    assert requested(case.masks, asking_for("Parotid_L"), organs, CATALOGUE) == ["Parotid_L"]


def test_an_organs_own_limits_go_before_the_defaults() -> None:
    found = Thresholds(
        default=AcceptanceLimits(patients=10, missed=0),
        organs={"Lips": AcceptanceLimits(patients=3)},
    ).of("Lips")
    assert found == AcceptanceLimits(patients=3, missed=0)


def test_the_example_of_thresholds_is_one(tmp_path: Path) -> None:
    example = ROOT / "oarflow/evaluation/commissioning/thresholds.yaml"
    found = read_thresholds(example, CATALOGUE)
    brainstem = found.of("Brainstem")
    assert brainstem is not None
    assert brainstem.patients == 10
    for text, said in (
        ("organs: {Nose: {}}", "'Nose' is not in the catalogue"),
        ("organs: {Lips: {dice: 1}}", "organs.Lips.dice"),
        ("default: {mean_dsc: 80}", "default.mean_dsc"),
        ("a: [", "is no YAML"),
    ):
        (tmp_path / "t.yaml").write_text(text)
        with pytest.raises(ValueError, match=said):
            read_thresholds(tmp_path / "t.yaml", CATALOGUE)


def patient(folder: Path) -> None:
    case = made_up(folder.name)
    write_ct(case, folder / "ct")
    write_references(case, folder / "ct", folder / "clinic.dcm")


def models(folder: Path) -> Path:
    for name, role, organs in (
        ("Parotid_L", "segmenter", ["Parotid_L"]),
        ("SpinalCord", "segmenter", ["SpinalCord"]),
        ("localizer", "localizer", ["Parotid_L"]),
    ):
        digest = {"Parotid_L": "ab", "SpinalCord": "cd", "localizer": "ef"}[name] * 32
        card = {"name": name, "version": "1", "role": role, "organs": organs, "sha256": digest}
        (folder / name).mkdir(parents=True)
        (folder / name / "model.json").write_text(json.dumps(card))
    return folder


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """An application that draws the left parotid right and the cord two voxels off."""
    runs: list[Path] = []

    def run(ct: Path, out: Path, models: Path, flags: Sequence[str]) -> FinishedRun:
        runs.append(ct)
        case = made_up(ct.name)
        cord = np.roll(case.masks["SpinalCord"], 2, axis=2)
        masks = {"Parotid_L": case.masks["Parotid_L"], "SpinalCord": cord}
        drawn = Case(case.id, case.ct, case.spacing_zyx, masks)
        write_references(drawn, ct / "ct", out / "rtstruct.dcm")
        parts = tuple(
            OrganPart(
                name=organ,
                status=Status.SEGMENTED,
                volume_cc=1,
                slices=1,
                seconds=1,
                model=ModelPart(name=organ, version="1", sha256=digest * 32),
            )
            for organ, digest in (("Parotid_L", "ab"), ("SpinalCord", "cd"))
        )
        found = result().model_copy(update={"organs": parts})
        return FinishedRun(found, out / "rtstruct.dcm")

    monkeypatch.setattr("oarflow.evaluation.commissioning.run.run_application", run)
    return runs


def test_a_clinics_patients_become_a_record(
    tmp_path: Path, application: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("Doe_John", "Roe_Jane"):
        patient(tmp_path / "patients" / name)
    limits = {"patients": 2, "mean_dsc": 0.9}
    thresholds = {"organs": {"Parotid_L": limits, "SpinalCord": limits}}
    (tmp_path / "t.yaml").write_text(json.dumps(thresholds))  # YAML too
    flags = ["--data", str(tmp_path / "patients"), "--thresholds", str(tmp_path / "t.yaml")]
    place = models(tmp_path / "models")
    flags += ["--models", str(place), "--work", str(tmp_path / "work"), "--clinic", "Ours & Co"]
    assert main(["commission", *flags, "--output", str(tmp_path / "out")]) == 0
    assert len(application) == 2
    record = read_record(tmp_path / "out" / "record.json")
    decisions = {one.organ: one for one in record.decisions}
    assert decisions["Parotid_L"].allowed
    # A cord three columns wide, moved by two of them: a third in common.
    assert decisions["SpinalCord"].reasons == ("mean Dice 0.333 is below 0.9",)
    assert record.made == "2023-11-14T22:13:20+00:00"
    assert [one.patient for one in record.patients] == ["P001", "P002"]
    page = (tmp_path / "out" / "record.html").read_text()
    for text in (
        "1 of 2 organs may be used: Parotid_L.",
        "Ours &amp; Co",
        record.sha256,
        "ab" * 32,
    ):
        assert text in page
    pdf = (tmp_path / "out" / "record.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    # The names of folders stand in the clinic's own list alone.
    assert "P001,Doe_John" in (tmp_path / "out" / "patients.csv").read_text()
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert all(b"Doe" not in data for name, data in written.items() if name != "patients.csv")
    released = yaml.safe_load(written["released.yaml"])
    assert released == {"organs": ["Parotid_L"], "trusted_models": ["ab" * 32, "ef" * 32]}
    assert Settings.model_validate(released).organs == ("Parotid_L",)
    verify = ["commission", "--verify", str(tmp_path / "out" / "record.json")]
    assert main([*verify, "--models", str(place)]) == 0
    card = place / "Parotid_L" / "model.json"
    card.write_text(card.read_text().replace("ab", "aa"))
    assert main([*verify, "--models", str(place)]) == 1


def test_contours_off_the_slices_stand_in_the_record(
    tmp_path: Path, application: list[Path]
) -> None:
    patient(tmp_path / "patients" / "a")
    path = tmp_path / "patients" / "a" / "clinic.dcm"
    clinic = dcmread(path)
    for item in clinic.ROIContourSequence:
        for contour in item.ContourSequence:
            values = [float(value) for value in contour.ContourData]
            values[2::3] = [value + 1 for value in values[2::3]]
            contour.ContourData = values
    clinic.save_as(path)
    (tmp_path / "t.yaml").write_text("organs: {Parotid_L: {mean_dsc: 0.9}}")
    flags = ["--data", str(tmp_path / "patients"), "--thresholds", str(tmp_path / "t.yaml")]
    flags += ["--models", str(models(tmp_path / "models")), "--work", str(tmp_path / "work")]
    assert main(["commission", *flags, "--output", str(tmp_path / "out")]) == 0
    record = read_record(tmp_path / "out" / "record.json")
    # A third of a slice off: the five contours are taken to their slices, and it is said.
    parotid = next(one for one in record.decisions if one.organ == "Parotid_L")
    assert parotid.allowed
    words = "Parotid_L: 5 contours on no slice"
    assert any(remark.startswith(words) for remark in record.patients[0].remarks)
    assert words in (tmp_path / "out" / "record.html").read_text()
    # A record from before remarks were kept is still as it was made.
    without = record.patients[0].model_copy(update={"remarks": ()})
    assert "remarks" not in without.model_dump()


def test_a_record_that_was_changed_is_no_record(
    tmp_path: Path, application: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    patient(tmp_path / "patients" / "a")
    (tmp_path / "t.yaml").write_text("organs: {SpinalCord: {mean_dsc: 0.9}}")
    flags = ["--data", str(tmp_path / "patients"), "--thresholds", str(tmp_path / "t.yaml")]
    flags += ["--models", str(models(tmp_path / "models")), "--work", str(tmp_path / "work")]
    assert main(["commission", *flags, "--output", str(tmp_path / "out")]) == 0
    path = tmp_path / "out" / "record.json"
    text = path.read_text()
    assert '"allowed": false' in text
    path.write_text(text.replace('"allowed": false', '"allowed": true'))
    with pytest.raises(ValueError, match="was changed after it was made"):
        read_record(path)
    path.write_text("{}")
    with pytest.raises(ValueError, match="no commissioning record"):
        read_record(path)
    assert main(["commission", "--output", str(tmp_path / "out")]) == 2
    assert "give --data" in capsys.readouterr().err
    assert main(["commission", "--verify", str(path)]) == 1


def test_a_refused_patient_counts_as_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "oarflow.evaluation.commissioning.run.run_application",
        lambda *_: FinishedRun(result(), None),
    )
    patient(tmp_path / "patients" / "a")
    (tmp_path / "t.yaml").write_text("organs: {SpinalCord: {missed: 0}}")
    flags = ["--data", str(tmp_path / "patients"), "--thresholds", str(tmp_path / "t.yaml")]
    flags += ["--models", str(models(tmp_path / "models")), "--work", str(tmp_path / "work")]
    assert main(["commission", *flags, "--output", str(tmp_path / "out")]) == 0
    record = read_record(tmp_path / "out" / "record.json")
    cord = next(one for one in record.decisions if one.organ == "SpinalCord")
    assert cord.reasons == ("missed 1 is above 0",)


def test_a_patient_whose_ct_is_refused_counts_as_missed_in_what_was_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient(tmp_path / "patients" / "a")
    patient(tmp_path / "patients" / "b")
    slices = sorted((tmp_path / "patients" / "b" / "ct").glob("*.dcm"))
    slices[len(slices) // 2].unlink()
    refused = refusal_part(Refusal(Finding(Code.MISSING_SLICE, "a gap")))
    monkeypatch.setattr(
        "oarflow.evaluation.commissioning.run.run_application",
        lambda ct, *_: FinishedRun(result(refusal=refused if ct.name == "b" else None), None),
    )
    (tmp_path / "t.yaml").write_text("organs: {SpinalCord: {missed: 1, mean_volume_error: 0.5}}")
    flags = ["--data", str(tmp_path / "patients"), "--thresholds", str(tmp_path / "t.yaml")]
    flags += ["--models", str(models(tmp_path / "models")), "--work", str(tmp_path / "work")]
    assert main(["commission", *flags, "--output", str(tmp_path / "out")]) == 0
    record = read_record(tmp_path / "out" / "record.json")
    assert [one.refusal for one in record.patients] == [None, "MISSING_SLICE"]
    of_b = [one for one in record.measured if one.patient == "P002"]
    drawn = {one.organ for one in record.measured if one.patient == "P001"}
    assert {one.organ for one in of_b} == drawn
    with_network = [one for one in of_b if one.organ in {"Parotid_L", "SpinalCord"}]
    assert len(with_network) == 2
    assert all(
        one.missed and one.dsc == 0 and one.flags == ("MISSING_SLICE",) for one in with_network
    )
    others = [one for one in of_b if one not in with_network]
    assert {(one.status, one.dsc) for one in others} == {("no_model", None)}
    cord = next(one for one in record.decisions if one.organ == "SpinalCord")
    assert cord.reasons == ("mean volume error 1 is above 0.5", "missed 2 is above 1")


def test_a_ct_that_only_the_application_reads_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "oarflow.evaluation.commissioning.run.run_application",
        lambda *_: FinishedRun(result(), None),
    )
    patient(tmp_path / "patients" / "b")
    slices = sorted((tmp_path / "patients" / "b" / "ct").glob("*.dcm"))
    slices[len(slices) // 2].unlink()
    (tmp_path / "t.yaml").write_text("organs: {}")
    flags = ["--data", str(tmp_path / "patients"), "--thresholds", str(tmp_path / "t.yaml")]
    flags += ["--models", str(models(tmp_path / "models")), "--work", str(tmp_path / "work")]
    assert main(["commission", *flags, "--output", str(tmp_path / "out")]) == 3
    assert "P001 (folders counted by name): MISSING_SLICE" in capsys.readouterr().err


def test_a_patient_without_contours_is_said_by_number(
    tmp_path: Path, application: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    patient(tmp_path / "patients" / "a")
    (tmp_path / "patients" / "a" / "clinic.dcm").unlink()
    (tmp_path / "t.yaml").write_text("organs: {}")
    flags = ["--data", str(tmp_path / "patients"), "--thresholds", str(tmp_path / "t.yaml")]
    flags += ["--models", str(models(tmp_path / "models")), "--work", str(tmp_path / "work")]
    assert main(["commission", *flags, "--output", str(tmp_path / "out")]) == 3
    assert (
        "P001 (folders counted by name): there is no RTSTRUCT beside the CT"
        in capsys.readouterr().err
    )
    assert not application
