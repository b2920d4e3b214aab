"""A site's records: what is believed, and what is reported instead."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oarflow.commissioning.record import NetworkRecord
from oarflow.commissioning.site import SiteRecords, record_path, require_writable, write_record
from oarflow.errors import ConfigurationError
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.structures import ModelIdentity, ProbabilityField, Segmentation, Status
from tests.oarflow.commissioning.made_up_records import record_of, standing, verdict

OWN = ModelIdentity("clinic/parotid", "1", "ab" * 32, card_sha256="cd" * 32)
OTHER = ModelIdentity("clinic/cord", "1", "12" * 32, card_sha256="34" * 32)


def contour(organ: str = "Parotid_L", status: Status = Status.SEGMENTED) -> Segmentation:
    field = ProbabilityField.of_mask(np.ones((2, 2, 2), bool)) if status.written else None
    return Segmentation(organ, status, field, model=OWN)


def tampered(record: NetworkRecord, **changes: Any) -> str:
    return json.dumps(json.loads(record.as_json()) | changes)


def test_without_a_record_a_contour_is_suspicious_and_says_so(tmp_path: Path) -> None:
    for records in (SiteRecords(), SiteRecords(tmp_path)):
        found = records.flagged(contour())
        assert found.status is Status.SUSPICIOUS
        (flag,) = found.flags
        assert flag.code is FlagCode.NOT_COMMISSIONED
        assert flag.short == "not commissioned at this site"
        assert flag.values == {"network": "clinic/parotid", "reason": "it has no record"}
        assert standing(records, OWN).words == "no"


def test_a_valid_record_is_believed_for_the_organs_that_passed(tmp_path: Path) -> None:
    failed = verdict(OWN, "Parotid_R", "mean Dice 0.3 is below 0.8")
    passed = verdict(OWN, "Parotid_L")
    write_record(tmp_path, record_of(OWN, organs=(passed, failed)))
    records = SiteRecords(tmp_path)
    assert standing(records, OWN).words == "yes, 2026-01-31, by Jane Doe"
    assert records.flagged(contour("Parotid_L")).status is Status.SEGMENTED
    (flag,) = records.flagged(contour("Parotid_R")).flags
    assert flag.values["reason"] == "it did not pass: mean Dice 0.3 is below 0.8"
    (flag,) = records.flagged(contour("Larynx")).flags
    assert flag.values["reason"] == "it was not measured"


VALID = record_of(OWN, "Parotid_L")
PASSED = json.loads(VALID.as_json())["organs"][0]
OF_OTHER = record_of(OTHER, "Parotid_L")
RECORDS: dict[str, tuple[str, str]] = {
    # By name: the file's text, and what is said of it.
    "edited": (tampered(VALID, signed_by="John Doe"), "it was changed after it was made"),
    "organ added": (
        tampered(VALID, organs=[PASSED, {**PASSED, "organ": "Larynx"}]),
        "it was changed after it was made",
    ),
    "no digest": (tampered(VALID, sha256=""), "it was changed after it was made"),
    "of another network": (OF_OTHER.as_json(), "it belongs to another network"),
    "renamed to this network": (
        tampered(OF_OTHER, network_sha256=OWN.sha256),
        "it was changed after it was made",
    ),
    "another card": (
        record_of(replace(OWN, card_sha256="9" * 64), "Parotid_L").as_json(),
        "the network's card was changed since",
    ),
    "another version": (
        record_of(OWN, "Parotid_L", version="0.0.1").as_json(),
        "OARflow 0.0.1 was measured, this is ",
    ),
    "passed with reasons": (
        tampered(VALID, organs=[{**PASSED, "reasons": ["no"]}]),
        "it is no record of a network: organs.0",
    ),
    "unsigned name": (tampered(VALID, signed_by=" "), "it is no record of a network: signed_by"),
    "no JSON": ("{", "it is no JSON: line 1"),
    "a list": ("[]", "it is no record of a network"),
    "a key twice": ('{"kind": 1, "kind": 2}', "it is no JSON: the key 'kind' occurs twice"),
    "the whole commissioning": ('{"kind": "oarflow-commissioning"}', "it is no record"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_is_not_valid_is_reported_and_not_believed(tmp_path: Path, name: str) -> None:
    text, said = RECORDS[name]
    record_path(tmp_path, OWN.sha256).write_text(text)
    records = SiteRecords(tmp_path)
    assert standing(records, OWN).words.startswith(f"record not valid: {said}")
    found = records.flagged(contour())
    assert found.status is Status.SUSPICIOUS
    assert found.flags[0].values["reason"].startswith("its record is not valid: ")  # type: ignore[union-attr]


def test_hidden_characters_of_a_record_are_shown_as_escapes(tmp_path: Path) -> None:
    record_path(tmp_path, OWN.sha256).write_text(
        record_of(OWN, "X", signed_by="A\u202eB").as_json()
    )
    assert standing(SiteRecords(tmp_path), OWN).words.endswith(r"A\u202eB")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_record_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    write_record(tmp_path, VALID)
    record_path(tmp_path, OWN.sha256).chmod(0)
    assert "it cannot be read: Permission denied" in standing(SiteRecords(tmp_path), OWN).words


def test_a_folder_in_place_of_a_record_is_reported(tmp_path: Path) -> None:
    record_path(tmp_path, OWN.sha256).mkdir()
    assert "it cannot be read: Is a directory" in standing(SiteRecords(tmp_path), OWN).words


def test_other_flags_stay_and_uncontoured_organs_get_none(tmp_path: Path) -> None:
    cut = Flag.of(FlagCode.FIELD_OF_VIEW, sides=("inferior",))
    truncated = Segmentation(
        "Parotid_L", Status.TRUNCATED, contour().field, flags=(cut,), model=OWN
    )
    found = SiteRecords().flagged(truncated)
    assert found.status is Status.SUSPICIOUS
    assert [flag.code for flag in found.flags] == [
        FlagCode.FIELD_OF_VIEW,
        FlagCode.NOT_COMMISSIONED,
    ]
    for status in (Status.ABSENT, Status.FAILED, Status.NO_MODEL):
        untouched = contour(status=status)
        assert SiteRecords().flagged(untouched) is untouched


def test_a_read_only_folder_is_read_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "commissioned"
    require_writable(folder)
    write_record(folder, VALID)
    assert [path.name for path in folder.iterdir()] == [f"{OWN.sha256}.json"]

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    assert standing(SiteRecords(folder), OWN).record == VALID
    with pytest.raises(ConfigurationError, match="Read-only file system") as error:
        require_writable(folder)
    assert error.value.code == "OUTPUT_NOT_WRITABLE"


def test_one_network_with_two_cards_has_one_record(tmp_path: Path) -> None:
    right = replace(OWN, name="clinic/right", card_sha256="ef" * 32)
    organs = (verdict(OWN, "Parotid_L"), verdict(right, "Parotid_R"))
    write_record(tmp_path, record_of(OWN, organs=organs))
    records = SiteRecords(tmp_path)
    assert standing(records, OWN).doubt("Parotid_L") == ""
    assert standing(records, right).doubt("Parotid_R") == ""
    assert standing(records, right).doubt("Parotid_L") == "it was not measured"


def test_a_newer_record_replaces_the_older(tmp_path: Path) -> None:
    write_record(tmp_path, VALID)
    write_record(tmp_path, record_of(OWN, "Larynx"))
    assert standing(SiteRecords(tmp_path), OWN).doubt("Larynx") == ""
    assert standing(SiteRecords(tmp_path), OWN).doubt("Parotid_L") == "it was not measured"


@pytest.mark.parametrize(
    "arguments",
    [
        lambda place: (place / "nowhere", None),
        lambda place: (place, place / "nowhere.pub"),
        lambda place: (place, record_path(place, "no-key")),
    ],
)
def test_a_folder_or_key_that_is_not_there_is_an_error_of_the_settings(
    tmp_path: Path, arguments: Callable[[Path], tuple[Path, Path | None]]
) -> None:
    record_path(tmp_path, "no-key").write_text("no key")
    with pytest.raises(ConfigurationError) as error:
        SiteRecords.open(*arguments(tmp_path))
    assert error.value.code == "SETTINGS"
