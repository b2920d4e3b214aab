"""result.json: the published schema is current, values round-trip, reasons are the table's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from oarflow.errors import REASONS, Code, ExitStatus, Finding, Refusal
from oarflow.networks.card import Role
from oarflow.result import (
    ResultDocument,
    Run,
    input_part,
    json_schema,
    network_part,
    organ_part,
    refusal_part,
    written_status,
)
from oarflow.structures import Localization, ModelIdentity, Segmentation, Side, Status
from tests.oarflow.chain import sphere_volume

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "result.schema.json"

RUN = Run(started="2026-01-02T03:04:05+00:00", seconds=1, stages={}, device="cpu", peak_memory_mb=1)


def test_published_schema_is_current() -> None:
    assert SCHEMA.read_text() == json_schema(), "run: oarflow config schema > docs/..."


def test_schema_names_every_status_and_code() -> None:
    definitions = json.loads(json_schema())["$defs"]
    assert definitions["Status"]["enum"] == [status.value for status in Status]
    assert definitions["Code"]["enum"] == [code.value for code in Code]


def test_document_round_trips() -> None:
    organ = organ_part(
        Segmentation(
            "Parotid_L",
            Status.TRUNCATED,
            flags=("cut by the field of view: left",),
            volume_cc=12.34567,
            slices=9,
            localization=Localization(
                "Parotid_L",
                True,
                0.9,
                (1.0, 2.0, 3.0),
                (4.0, 5.0, 6.0),
                (7, 8),
                frozenset({Side.LEFT}),
            ),
        ),
        notes=("1 island(s)",),
    )
    document = ResultDocument(run=RUN, exit_status=0, organs=(organ,))
    again = ResultDocument.model_validate_json(document.as_json())
    assert again == document
    assert again.organs[0].volume_cc == 12.346
    assert again.organs[0].localization is not None
    assert again.organs[0].localization.cut == (Side.LEFT,)


def test_a_document_of_the_version_before_can_be_read() -> None:
    """Additions only: what a node stored stays readable."""
    stored = json.loads(ResultDocument(run=RUN, exit_status=0).as_json())
    del stored["run"]["networks"]
    found = ResultDocument.model_validate({**stored, "schema_version": "1.0"})
    assert (found.schema_version, found.run.networks) == ("1.0", ())
    assert ResultDocument(run=RUN, exit_status=0).schema_version == "1.1"


def test_an_organ_says_when_its_network_learned_from_derived_labels() -> None:
    derived = ModelIdentity("n", "1", "c" * 64, derived_labels=True)
    part = organ_part(Segmentation("Brain", Status.SEGMENTED, model=derived))
    assert part.model is not None
    assert part.model.derived_labels


def test_roles_are_those_of_the_cards() -> None:
    identity = ModelIdentity("n", "1", "c" * 64)
    assert [network_part(identity, role.value).role for role in Role] == list(Role)


def test_refusal_carries_meaning_and_remedy_of_the_table() -> None:
    part = refusal_part(
        Refusal(Finding(Code.GANTRY_TILT, "5 degrees"), Finding(Code.MIXED_PATIENTS, "2 patients"))
    )
    assert part.code == Code.MIXED_PATIENTS
    assert part.remedy == REASONS[Code.MIXED_PATIENTS].remedy
    assert [reason.code for reason in part.also] == [Code.GANTRY_TILT]


def test_input_states_the_geometry_of_the_volume() -> None:
    volume = sphere_volume({})
    part = input_part(volume, ("a note",))
    assert (part.slices, part.rows, part.columns) == (60, 128, 160)
    assert part.spacing_mm == (2.0, 1.0, 1.0)
    assert part.origin_mm == (-80.0, -64.0, -60.0)
    assert part.orientation == ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    assert part.slice_gaps_mm == (2.0, 2.0)
    assert np.isfinite(part.origin_mm).all()


def test_an_organ_that_is_not_written_has_no_volume() -> None:
    part = organ_part(Segmentation("Eye_L", Status.FAILED, volume_cc=7.0, slices=3))
    assert (part.volume_cc, part.slices) == (0.0, 0)


@pytest.mark.parametrize(
    ("status", "strict", "expected"),
    [
        (Status.SEGMENTED, True, ExitStatus.WRITTEN),
        (Status.TRUNCATED, True, ExitStatus.WRITTEN),
        (Status.ABSENT, True, ExitStatus.WRITTEN),
        (Status.NO_MODEL, True, ExitStatus.WRITTEN),
        (Status.SUSPICIOUS, True, ExitStatus.HELD),
        (Status.FAILED, True, ExitStatus.HELD),
        (Status.FAILED, False, ExitStatus.WRITTEN),
    ],
)
def test_exit_status_of_a_written_run(status: Status, strict: bool, expected: ExitStatus) -> None:
    statuses = (Status.SEGMENTED, status)
    organs = [organ_part(Segmentation(str(n), each)) for n, each in enumerate(statuses)]
    assert written_status(organs, strict) == expected


def test_nothing_unforeseen_gets_in() -> None:
    with pytest.raises(ValidationError, match="patient_name"):
        ResultDocument.model_validate({"run": RUN, "exit_status": 0, "patient_name": "X"})
