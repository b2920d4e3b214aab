"""`pull` and `audit` as commands: what a person asks for is written down, nothing found is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oarflow.commands import main
from oarflow.node.commands import pull
from oarflow.node.pulling.query import FoundSeries, PullCounts, Query, StoreInstance
from tests.oarflow.node.node_bench import free_port, settings_at


class Pacs:
    """It has the study of one accession number."""

    def find(self, query: Query) -> list[FoundSeries]:
        return [FoundSeries("1.2", "1.3", 4)] if query.accession_number == "A-1" else []

    def fetch(self, found: FoundSeries, take: StoreInstance) -> PullCounts:
        return PullCounts(instances=4)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(pull, "pacs", lambda *_: Pacs())
    peer = {"ae_title": "PACS", "host": "127.0.0.1", "port": free_port()}
    file = tmp_path / "node.yaml"
    file.write_text(settings_at(tmp_path, pull={"pacs": {"peer": peer}}).as_yaml())
    return str(file)


def test_a_pull_that_finds_nothing_says_so(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["node", "-c", config, "pull", "pacs", "--accession", "A-2"]) == 3
    said = capsys.readouterr()
    assert "PULL: pacs: no series of CT found" in said.err
    assert "A-2" not in said.err + said.out
    assert main(["node", "-c", config, "pull", "pacs", "--accession", "A-1"]) == 0
    assert "1 series found" in capsys.readouterr().out


def test_who_asked_for_what_is_in_the_log_and_so_is_who_printed_it(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["node", "-c", config, "pull", "pacs", "--accession", "A-2", "--date", "20260102"])
    capsys.readouterr()
    assert main(["node", "-c", config, "audit"]) == 0
    asked, printed = map(json.loads, capsys.readouterr().out.splitlines())
    assert (asked["action"], asked["subject"]) == ("pull", "pacs")
    assert asked["detail"] == {"accession": "A-2", "date": "20260102"}
    assert asked["user"]
    assert (printed["action"], printed["address"]) == ("audit log", "command line")
