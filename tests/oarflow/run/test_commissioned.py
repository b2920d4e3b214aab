"""Runs with networks that OARflow does not ship: flagged, held by strict, released by a record."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from pydicom import dcmread

import oarflow
from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.flags.codes import FlagCode
from oarflow.locations import ROOT
from oarflow.node.execution.order import End, RunOutcome
from oarflow.node.execution.results import Conclusion, conclude
from oarflow.node.execution.workspace import command
from oarflow.node.settings import NodeSettings
from oarflow.node.states import State
from oarflow.result import ResultDocument, read_document
from oarflow.run.settings import load_settings
from tests.app.workbench import clean_environment
from tests.oarflow.commissioning.made_up_records import commission_all


def not_commissioned(document: ResultDocument) -> set[str]:
    return {
        part.name
        for part in document.organs
        for flag in part.flags
        if flag.code is FlagCode.NOT_COMMISSIONED
    }


def test_strict_holds_contours_of_a_network_without_a_record(ct: Path, models: Path) -> None:
    found = oarflow.contour(ct, models=models, settings={"strict": True})
    assert not_commissioned(found.document) == {"Parotid_L", "Parotid_R"}
    assert {organ.status.value for organ in found.values()} == {"suspicious"}
    assert found.exit_status is ExitStatus.HELD


def test_the_records_of_another_site_s_networks_do_not_help(
    ct: Path, models: Path, tmp_path: Path
) -> None:
    folder = commission_all(ROOT / "models", tmp_path / "commissioned")
    found = oarflow.contour(ct, models=models, settings={"commissioned": str(folder)})
    assert not_commissioned(found.document) == {"Parotid_L", "Parotid_R"}


def test_a_folder_of_records_that_is_not_there_ends_the_run(
    ct: Path, models: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="none is not a folder"):
        oarflow.contour(ct, models=models, settings={"commissioned": str(tmp_path / "none")})


def test_paths_start_at_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "site" / "app.yaml"
    file.parent.mkdir()
    file.write_text("commissioned: records\ncommissioned_key: /keys/site.pub\n")
    settings = load_settings(file)
    assert settings.commissioned == tmp_path / "site" / "records"
    assert settings.commissioned_key == Path("/keys/site.pub")
    assert load_settings(file, ["commissioned=here"]).commissioned == Path("here")
    assert load_settings(file, ["strict=true"]).commissioned == tmp_path / "site" / "records"


class Site:
    """A node's run: the settings file names the folder, the application is a process of its own."""

    def __init__(self, ct: Path, models: Path, folder: Path) -> None:
        self.ct, self.folder = ct, folder
        self.records = folder / "commissioned"
        self.records.mkdir()
        config = folder / "app.yaml"
        config.write_text(yaml.safe_dump({"commissioned": "commissioned", "strict": True}))
        execution = {"models": str(models), "config": str(config)}
        self.execution = NodeSettings.model_validate({"execution": execution}).execution

    def run(self, name: str) -> tuple[Conclusion, ResultDocument]:
        out = self.folder / name
        words = [part.replace("{output}", str(out)) for part in command(self.execution, self.ct)]
        done = subprocess.run(
            words, cwd=ROOT, env=clean_environment(), capture_output=True, check=False
        )
        outcome = RunOutcome(1, "t", End.EXITED, str(out), done.returncode)
        document = read_document((out / "result.json").read_bytes())
        assert document.input is not None
        return conclude(outcome, document.input.series_instance_uid), document


def test_the_node_holds_a_study_until_its_networks_have_records(
    ct: Path, models: Path, tmp_path: Path
) -> None:
    site = Site(ct, models, tmp_path)
    conclusion, document = site.run("before")
    assert conclusion.state is State.HELD
    assert "organs suspicious or failed: 2" in conclusion.reason
    assert not_commissioned(document) == {"Parotid_L", "Parotid_R"}
    file = dcmread(tmp_path / "before" / "rtstruct.dcm")
    for roi in file.StructureSetROISequence:
        assert "not commissioned at this site" in roi.ROIDescription

    commission_all(models, site.records)
    (tmp_path / "commissioned").chmod(0o555)
    _, document = site.run("after")
    assert not_commissioned(document) == set()
    assert document.settings["commissioned"] == str(site.records)

    for path in site.records.iterdir():
        forged = json.loads(path.read_text()) | {"signed_by": "Mallory"}
        path.chmod(0o644)
        path.write_text(json.dumps(forged))
    conclusion, document = site.run("forged")
    assert conclusion.state is State.HELD
    assert not_commissioned(document) == {"Parotid_L", "Parotid_R"}
