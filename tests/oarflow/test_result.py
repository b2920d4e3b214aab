"""result.json: the published schema is current, values round-trip, reasons are the table's."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from oarflow.errors import Code, ExitStatus, Finding, Refusal
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.flags.table import FLAGS
from oarflow.networks.card import Role
from oarflow.reason_codes import REASONS
from oarflow.result import (
    ResultDocument,
    ResultError,
    Run,
    input_part,
    json_schema,
    network_part,
    organ_part,
    read_document,
    refusal_part,
    written_status,
)
from oarflow.structures import (
    Localization,
    ModelIdentity,
    NetworkOrigin,
    Segmentation,
    Side,
    Status,
)
from oarflow.version import __version__
from tests.oarflow.chain import sphere_volume

RUN = Run(started="2026-01-02T03:04:05+00:00", seconds=1, stages={}, device="cpu", peak_memory_mb=1)


def test_schema_says_what_every_field_means() -> None:
    schema = json.loads(json_schema())
    own = {name: part for name, part in schema["$defs"].items() if "properties" in part}
    for name, part in {"document": schema, **own}.items():
        assert [key for key, one in part["properties"].items() if "description" not in one] == [], (
            name
        )


def test_schema_names_every_status_and_code() -> None:
    definitions = json.loads(json_schema())["$defs"]
    assert definitions["Status"]["enum"] == [status.value for status in Status]
    assert definitions["Code"]["enum"] == [code.value for code in Code]


def test_document_round_trips() -> None:
    organ = organ_part(
        Segmentation(
            "Parotid_L",
            Status.TRUNCATED,
            flags=(Flag.of(FlagCode.FIELD_OF_VIEW, sides=[Side.LEFT]),),
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
    assert again.organs[0].flags[0].values == {"sides": ["left"]}
    assert again.organs[0].localization is not None
    assert again.organs[0].localization.cut == (Side.LEFT,)


def test_every_flag_round_trips() -> None:
    flags = tuple(Flag.of(code, **row.example) for code, row in FLAGS.items())
    organ = organ_part(Segmentation("Parotid_L", Status.SUSPICIOUS, flags=flags))
    document = ResultDocument(run=RUN, exit_status=0, organs=(organ,), study_flags=flags)
    assert read_document(document.as_json()) == document


def test_fields_that_nothing_fills_yet_are_there() -> None:
    organ = organ_part(Segmentation("Parotid_L", Status.ABSENT))
    stored = json.loads(ResultDocument(run=RUN, exit_status=0, organs=(organ,)).as_json())
    assert (stored["template"], stored["study_flags"]) == (None, [])
    (part,) = stored["organs"]
    assert (part["source"], part["parents"], part["recipe"]) == (None, [], None)


def test_a_derived_structure_names_its_parents_and_its_recipe() -> None:
    found = Segmentation("Ring", Status.SEGMENTED, parents=("Larynx",), recipe="ring around Larynx")
    part = organ_part(found)
    assert (part.parents, part.recipe, part.model) == (("Larynx",), "ring around Larynx", None)


@pytest.mark.parametrize("status", list(Status))
def test_strict_holds_what_is_doubtful_or_missing(status: Status) -> None:
    organs = [organ_part(Segmentation("Larynx", status))]
    held = status in (Status.FAILED, Status.SUSPICIOUS, Status.NOT_DERIVED)
    assert written_status(organs, (), strict=True) is (
        ExitStatus.HELD if held else ExitStatus.WRITTEN
    )
    assert written_status(organs, (), strict=False) is ExitStatus.WRITTEN


@pytest.mark.parametrize("version", ["1.0", "1.1", "3.0"])
def test_a_document_of_another_version_is_refused_with_what_to_do(version: str) -> None:
    stored = json.loads(ResultDocument(run=RUN, exit_status=0).as_json())
    with pytest.raises(ResultError) as error:
        read_document(json.dumps({**stored, "schema_version": version}).encode())
    assert str(error.value) == (
        f"result.json has schema version {version}, but oarflow {__version__} reads only "
        "version 2.0: contour the CT again"
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b"no JSON", b'{"schema_version": "2.0"}', b'{"schema_version": "NAME"}'],
)
def test_what_is_no_document_is_refused_without_being_quoted(content: bytes) -> None:
    with pytest.raises(ResultError, match=r"^not a valid result\.json$"):
        read_document(content)


def test_a_flag_with_a_field_too_many_is_refused() -> None:
    stored = json.loads(ResultDocument(run=RUN, exit_status=0).as_json())
    flag = Flag.of(FlagCode.PATIENT_UNDER_18, age_years=12, limit_years=18)
    plain = {"code": flag.code, "scope": flag.scope, "message": flag.message, "values": {}}
    stored["study_flags"] = [plain | {"patient": "X"}]
    with pytest.raises(ResultError):
        read_document(json.dumps(stored).encode())


def test_an_organ_says_when_its_network_learned_from_derived_labels() -> None:
    derived = ModelIdentity("n", "1", "c" * 64, derived_labels=True)
    part = organ_part(Segmentation("Brain", Status.SEGMENTED, model=derived))
    assert part.model is not None
    assert part.model.derived_labels


def test_origin_and_licence_of_an_organ_s_network() -> None:
    source = NetworkOrigin("CADS 558", "CC BY-NC-SA 4.0", "no")
    identity = ModelIdentity("n", "1", "c" * 64, card_sha256="d" * 64, source=source)
    part = organ_part(Segmentation("Eye_L", Status.SEGMENTED, model=identity))
    plain = {"origin": "CADS 558", "licence": "CC BY-NC-SA 4.0", "commercial": "no"}
    assert part.source is not None
    assert part.source.model_dump() == plain
    ran = network_part(identity, "segmenter")
    assert ran.source is not None
    assert ran.source.model_dump() == plain
    without = ModelIdentity("n", "1", "c" * 64)
    assert organ_part(Segmentation("Eye_L", Status.SEGMENTED, model=without)).source is None
    assert network_part(without, "localizer").source is None


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
    assert written_status(organs, (), strict=strict) == expected


@pytest.mark.parametrize(
    ("strict", "expected"), [(True, ExitStatus.HELD), (False, ExitStatus.WRITTEN)]
)
def test_a_flag_of_the_study_holds_it_where_strict(strict: bool, expected: ExitStatus) -> None:
    organs = [organ_part(Segmentation("Parotid_L", Status.SEGMENTED))]
    child = Flag.of(FlagCode.PATIENT_UNDER_18, age_years=12, limit_years=18)
    assert written_status(organs, [child], strict=strict) == expected


def test_nothing_unforeseen_gets_in() -> None:
    with pytest.raises(ValidationError, match="patient_name"):
        ResultDocument.model_validate({"run": RUN, "exit_status": 0, "patient_name": "X"})
