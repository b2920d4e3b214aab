"""`oarflow commission` writes a record for each network, which the runs then believe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oarflow.commands import main
from oarflow.commissioning.record import read_network_record
from oarflow.commissioning.site import SiteRecords, record_path
from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case
from oarflow.datasets.references import write_references
from oarflow.evaluation.application import FinishedRun
from oarflow.evaluation.commissioning.record import read_record
from oarflow.evaluation.scoring.outcomes import as_commissioned
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.networks.card import ModelCard, Role
from oarflow.result import ModelPart, OrganPart
from oarflow.structures import Status
from tests.oarflow.commissioning.made_up_records import standing, write_keys
from tests.oarflow.evaluation.cases import made_up, result
from tests.oarflow.systems import Near, write_model

UNCOMMISSIONED = Flag.of(FlagCode.NOT_COMMISSIONED, network="test/x", reason="it has no record")
CUT = Flag.of(FlagCode.FIELD_OF_VIEW, sides=("inferior",))
EMPTY = Flag.of(FlagCode.EMPTY_SLICES, slices=2)


class Clinic:
    """One patient, two networks of its own, and a settings file that names the records' folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.records, self.models = folder, folder / "records", folder / "models"
        patient, case = folder / "patients" / "a", made_up("a")
        write_ct(case, patient / "ct")
        write_references(case, patient / "ct", patient / "clinic.dcm")
        self.cards: dict[str, ModelCard] = {
            organ: write_model(self.models / organ, Near((level,)), organs=(organ,))
            for organ, level in (("Parotid_L", 100.0), ("SpinalCord", 50.0))
        }
        write_model(
            self.models / "localizer", Near((0.0,)), role=Role.LOCALIZER, organs=("Parotid_L",)
        )
        (folder / "limits.yaml").write_text("organs: {Parotid_L: {missed: 0}, SpinalCord: {}}")
        (folder / "app.yaml").write_text("commissioned: records")

    def commission(self, *more: object) -> int:
        flags: dict[str, Any] = {
            "--data": self.folder / "patients",
            "--thresholds": self.folder / "limits.yaml",
            "--models": self.models,
            "--work": self.folder / "work",
            "--config": self.folder / "app.yaml",
            "--output": self.folder / "out",
        }
        words = [str(word) for pair in flags.items() for word in pair]
        return main(["commission", *words, *map(str, more)])

    def words(self, organ: str, key: Path | None = None) -> str:
        return standing(SiteRecords.open(self.records, key), self.cards[organ].identity).words


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """Its application finds the left parotid where the clinic drew it."""
    made = Clinic(tmp_path)

    def run(ct: Path, out: Path, *_: object) -> FinishedRun:
        part = OrganPart(
            name="Parotid_L",
            status=Status.SUSPICIOUS,
            flags=(UNCOMMISSIONED,),
            volume_cc=1,
            slices=1,
            seconds=1,
            model=ModelPart(name="p", version="1", sha256=made.cards["Parotid_L"].sha256),
        )
        case = made_up("a")
        drawn = {"Parotid_L": case.masks["Parotid_L"]}
        file = out / "rtstruct.dcm"
        write_references(Case(case.id, case.ct, case.spacing_zyx, drawn), ct / "ct", file)
        return FinishedRun(result().model_copy(update={"organs": (part,)}), file)

    monkeypatch.setattr("oarflow.evaluation.commissioning.run.run_application", run)
    return made


def test_each_network_gets_a_record_with_its_own_organs(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert clinic.commission("--signed-by", "Jane Doe", "--clinic", "Ours") == 0
    assert {path.stem for path in clinic.records.iterdir()} == {
        card.sha256 for card in clinic.cards.values()
    }
    assert clinic.words("Parotid_L") == "yes, 2023-11-14, by Jane Doe"
    found = read_network_record(record_path(clinic.records, clinic.cards["Parotid_L"].sha256))
    assert (found.clinic, found.network, found.signature) == ("Ours", "test/Parotid_L", "")
    assert [(one.organ, one.passed) for one in found.organs] == [("Parotid_L", True)]
    whole = read_record(clinic.folder / "out" / "record.json")
    assert found.record_sha256 == whole.sha256
    cord = standing(SiteRecords(clinic.records), clinic.cards["SpinalCord"].identity)
    assert cord.doubt("SpinalCord") == "it did not pass: no limit is set for this organ"


def test_a_key_signs_the_records(clinic: Clinic) -> None:
    private, public = write_keys(clinic.folder, "site")
    assert clinic.commission("--signed-by", "Jane Doe", "--key", private) == 0
    assert clinic.words("Parotid_L", public).startswith("yes, ")
    assert clinic.commission("--signed-by", "Jane Doe") == 0
    assert clinic.words("Parotid_L", public) == "record not valid: it is not signed"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "give --signed-by NAME"),
        (("--signed-by", " "), "give --signed-by NAME"),
        (("--signed-by", "Jane Doe", "--key", "/nowhere"), "No such file"),
    ],
)
def test_what_a_record_needs_is_asked_before_measuring(
    clinic: Clinic, more: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clinic.commission(*more) == 2
    assert said in capsys.readouterr().err
    assert not (clinic.folder / "work").exists()


def test_a_folder_that_cannot_be_written_is_told_before_measuring(
    clinic: Clinic, capsys: pytest.CaptureFixture[str]
) -> None:
    clinic.records.write_text("a file, not a folder")
    assert clinic.commission("--signed-by", "Jane Doe") == 2
    assert "OUTPUT_NOT_WRITABLE" in capsys.readouterr().err
    assert not (clinic.folder / "work").exists()


def test_without_a_folder_there_are_no_records(
    clinic: Clinic, capsys: pytest.CaptureFixture[str]
) -> None:
    (clinic.folder / "app.yaml").write_text("{}")
    assert clinic.commission() == 0
    assert not clinic.records.exists()
    assert clinic.commission("--signed-by", "Jane Doe") == 2
    assert "need settings with a folder `commissioned`" in capsys.readouterr().err


def test_the_list_of_networks_has_the_standing_of_each(
    clinic: Clinic, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clinic.commission("--signed-by", "Jane Doe") == 0
    path = record_path(clinic.records, clinic.cards["SpinalCord"].sha256)
    path.write_text(path.read_text().replace("Jane", "John"))
    asking = ["models", "-m", str(clinic.models), "-c", str(clinic.folder / "app.yaml")]
    capsys.readouterr()
    assert main([*asking, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["Parotid_L"]["commissioned"].endswith("by Jane Doe")
    assert found["SpinalCord"]["commissioned"].startswith("record not valid: it was changed")
    assert "commissioned" not in found["localizer"]
    assert main(asking) == 0
    assert "record not valid" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ((), Status.SEGMENTED),
        ((CUT,), Status.TRUNCATED),
        ((EMPTY,), Status.SUSPICIOUS),
        ((CUT, EMPTY), Status.SUSPICIOUS),
    ],
)
def test_measuring_leaves_the_flag_out(flags: tuple[Flag, ...], status: Status) -> None:
    """Otherwise no contour of a new network would ever be a silent failure."""
    part = OrganPart(
        name="Parotid_L",
        status=Status.SUSPICIOUS,
        flags=(*flags, UNCOMMISSIONED),
        volume_cc=1,
        slices=1,
        seconds=1,
    )
    found = as_commissioned(part)
    assert (found.flags, found.status) == (flags, status)
    assert as_commissioned(found) is found


def test_a_wrong_contour_of_a_new_network_is_a_silent_failure(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clinic.folder / "limits.yaml").write_text("organs: {Parotid_L: {silent_failures: 0}}")
    monkeypatch.setattr(
        "oarflow.evaluation.commissioning.run.contoured_masks",
        lambda *_: {},
    )
    assert clinic.commission("--signed-by", "Jane Doe") == 0
    whole = read_record(clinic.folder / "out" / "record.json")
    parotid = next(one for one in whole.measured if one.organ == "Parotid_L")
    assert (parotid.status, parotid.flags, parotid.dsc) == ("segmented", (), 0.0)
    assert parotid.silent_failure
