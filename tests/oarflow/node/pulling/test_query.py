"""What a person may ask a PACS for: wrong arguments are refused before anybody is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.commands import main
from oarflow.node.commands import pull
from oarflow.node.pulling.query import Query
from tests.oarflow.node.node_bench import free_port, settings_at

FORMAT = "YYYYMMDD"


@pytest.mark.parametrize(
    "date",
    ["20240229", "20240101-20241231", "20240101-20240101", "20240101-", "-20241231", " 20240101 "],
)
def test_dates_of_the_standard_are_asked_for(date: str) -> None:
    assert Query(date=date).date == date.strip()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "give --accession"),
        ({"accession_number": "  "}, "give --accession"),
        ({"accession_number": "*"}, "wildcards"),
        ({"accession_number": "A?1"}, "wildcards"),
        ({"accession_number": "A\\B"}, "wildcards"),
        ({"study_uid": "1.2.*"}, "wildcards"),
        ({"accession_number": "A" * 17}, "at most 16 characters"),
        ({"accession_number": "A\x00B"}, "control character"),
        ({"study_uid": "1.2.x"}, "digits and dots"),
        ({"study_uid": "1.02"}, "digits and dots"),
        ({"study_uid": "1." + "2" * 63}, "digits and dots"),
        *[
            ({"date": date}, FORMAT)
            for date in (
                "2024",
                "202401",
                "2024-01-01",
                "01.02.2024",
                "2024*",
                "-",
                "20240101-2025",
                "20240101--20240201",
                "20240101-20240102-20240103",
                "20240101 20240102",
                "today",
                "\u0662\u0660\u0662\u0664\u0660\u0661\u0660\u0661",
            )
        ],
        ({"date": "20230229"}, "no day 20230229"),
        ({"date": "20241301"}, "no day 20241301"),
        ({"date": "31122024"}, "no day 31122024"),
        ({"date": "00000101"}, "no day 00000101"),
        ({"date": "20240101-20240431"}, "no day 20240431"),
        ({"date": "20241231-20240101"}, "write 20240101-20241231"),
    ],
)
def test_what_is_wrong_is_refused_with_the_right_form(asked: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Query(**asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--date", "2024"], "YYYYMMDD-YYYYMMDD"),
        (["--date", "20240230"], "no day 20240230"),
        (["--date=-2024"], "YYYYMMDD-YYYYMMDD"),
        (["--date", "20240102-20240101"], "20240101-20240102"),
        (["--accession", "A-1", "--study", "1.2.a"], "digits and dots"),
    ],
)
def test_the_peer_is_not_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(pull, "pacs", lambda *_: pytest.fail("the PACS is asked"))
    peer = {"ae_title": "PACS", "host": "127.0.0.1", "port": free_port()}
    file = tmp_path / "node.yaml"
    file.write_text(settings_at(tmp_path, pull={"pacs": {"peer": peer}}).as_yaml())
    assert main(["node", "-c", str(file), "pull", "pacs", *words]) == 2
    told = capsys.readouterr().err
    assert told.startswith("oarflow: QUERY: ")
    assert said in told


def test_a_study_must_fit_all_that_is_asked() -> None:
    assert Query(study_uid="1.2").names_one
    assert not Query(study_uid="1.2", date="20240101").names_one


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 30])
def test_an_id_that_is_none(tmp_path: Path, after: str) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(settings_at(tmp_path).as_yaml())
    with pytest.raises(SystemExit, match="2"):
        main(["node", "-c", str(file), "audit", f"--after={after}"])
