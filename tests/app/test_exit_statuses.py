"""Every exit status, as a host sees it: a program, its status, its messages, and what is in OUT."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import ClassVar

import pydicom
import pytest

from oarflow.result import ResultDocument
from tests.app.workbench import (
    BALL_CC,
    CENTRES_LPS,
    RADIUS_MM,
    Broken,
    app,
    nothing,
    site_settings,
    write_ct,
    write_models,
)


def names(folder: Path) -> list[str]:
    """Everything below a folder, hidden or not."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def result(out: Path) -> ResultDocument:
    return ResultDocument.model_validate_json((out / "result.json").read_bytes())


def settings(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "app.yaml"
    path.write_text(text)
    return path


class TestWritten:
    ran: ClassVar[subprocess.CompletedProcess[str]]

    @pytest.fixture(scope="class")
    @classmethod
    def out(cls, ct: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("run")
        out = folder / "new" / "out"
        cls.ran = app("-i", ct, "-o", out, "-m", models, "-c", site_settings(folder, models))
        assert cls.ran.returncode == 0, cls.ran.stderr
        return out

    def test_leaves_the_file_and_its_account_only(self, out: Path) -> None:
        assert names(out) == ["result.json", "rtstruct.dcm"]

    def test_contours_lie_where_the_balls_are(self, out: Path) -> None:
        dataset = pydicom.dcmread(out / "rtstruct.dcm")
        assert [roi.ROIName for roi in dataset.StructureSetROISequence] == list(CENTRES_LPS)
        for item, centre in zip(dataset.ROIContourSequence, CENTRES_LPS.values(), strict=True):
            values = [float(v) for c in item.ContourSequence for v in c.ContourData]
            for axis in range(3):
                low, high = min(values[axis::3]), max(values[axis::3])
                assert low == pytest.approx(centre[axis] - RADIUS_MM, abs=2.5)
                assert high == pytest.approx(centre[axis] + RADIUS_MM, abs=2.5)

    def test_result_says_what_was_done(self, out: Path) -> None:
        document = result(out)
        assert document.exit_status == 0
        assert (document.run.device or "").startswith("cpu")
        assert document.files is not None
        assert document.files.total == 24
        assert document.input is not None
        assert document.input.spacing_mm == (3.0, 2.0, 2.0)
        assert [organ.status for organ in document.organs] == ["segmented", "segmented"]
        for organ in document.organs:
            assert organ.volume_cc == pytest.approx(BALL_CC, rel=0.05)
        stages = ["start", "intake", "localize", "segment", "assess", "write"]
        assert list(document.run.stages) == stages
        assert sum(document.run.stages.values()) <= document.run.seconds + 0.01

    def test_a_person_reads_a_table(self, out: Path) -> None:
        lines = self.ran.stdout.splitlines()
        line = next(line for line in lines if "Parotid_L" in line)
        assert "segmented" in line
        assert "11.5" in line
        assert lines[-1] == f"results: {out}"

    def test_no_patient_data_anywhere(self, out: Path) -> None:
        said = self.ran.stdout + self.ran.stderr + (out / "result.json").read_text()
        for secret in ("SECRET", "19501231"):
            assert secret not in said

    def test_nothing_is_said_on_standard_error(self, out: Path) -> None:
        assert self.ran.stderr == ""


def test_status_1_where_every_organ_fails(ct: Path, tmp_path: Path) -> None:
    broken = write_models(tmp_path / "models", Parotid_L=Broken(), Parotid_R=Broken())
    ran = app("-i", ct, "-o", tmp_path / "out", "-m", broken)
    assert ran.returncode == 1
    assert names(tmp_path / "out") == ["result.json"]
    document = result(tmp_path / "out")
    assert document.fault is not None
    assert [organ.status for organ in document.organs] == ["failed", "failed"]
    assert "SECRET" not in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


def test_status_0_where_one_organ_fails_and_4_where_strict(ct: Path, tmp_path: Path) -> None:
    broken = write_models(tmp_path / "models", Parotid_R=Broken())
    assert app("-i", ct, "-o", tmp_path / "out", "-m", broken).returncode == 0
    strict = site_settings(tmp_path, broken, "strict: true")
    ran = app("-i", ct, "-o", tmp_path / "strict", "-m", broken, "-c", strict)
    assert ran.returncode == 4
    assert names(tmp_path / "strict") == ["result.json", "rtstruct.dcm"]
    assert [o.status for o in result(tmp_path / "strict").organs] == ["segmented", "failed"]
    assert result(tmp_path / "strict").exit_status == 4


def test_status_3_for_an_empty_folder(models: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    ran = app("-i", tmp_path / "in", "-o", tmp_path / "out", "-m", models)
    assert ran.returncode == 3
    assert names(tmp_path / "out") == ["result.json"]
    refusal = result(tmp_path / "out").refusal
    assert refusal is not None
    assert refusal.code == "NO_FILES"
    assert refusal.remedy
    assert "NO_FILES" in ran.stdout


def test_status_3_accounts_for_the_files(ct: Path, models: Path, tmp_path: Path) -> None:
    shutil.copytree(ct, tmp_path / "in")
    (tmp_path / "in" / "CT.0010.dcm").unlink()
    (tmp_path / "in" / "task.json").write_text("{}")
    ran = app("-i", tmp_path / "in", "-o", tmp_path / "out", "-m", models)
    assert ran.returncode == 3
    document = result(tmp_path / "out")
    assert document.refusal is not None
    assert document.refusal.code == "MISSING_SLICE"
    assert document.files is not None
    assert document.files.classes == {"ct_slice": 23, "not_dicom": 1}


def test_status_3_where_no_organ_is_there(models: Path, tmp_path: Path) -> None:
    write_ct(tmp_path / "in", anatomy=nothing)
    ran = app("-i", tmp_path / "in", "-o", tmp_path / "out", "-m", models)
    assert ran.returncode == 3
    document = result(tmp_path / "out")
    assert document.refusal is not None
    assert document.refusal.code == "NOTHING_SEGMENTED"
    assert [organ.status for organ in document.organs] == ["absent", "absent"]


def test_an_organ_without_model_is_named(ct: Path, models: Path, tmp_path: Path) -> None:
    wanted = site_settings(tmp_path, models, "organs: [left parotid, Brainstem]")
    assert app("-i", ct, "-o", tmp_path / "out", "-m", models, "-c", wanted).returncode == 0
    organs = {organ.name: str(organ.status) for organ in result(tmp_path / "out").organs}
    assert organs == {"Brainstem": "no_model", "Parotid_L": "segmented"}


def test_a_time_limit_fails_the_organ_only(ct: Path, models: Path, tmp_path: Path) -> None:
    limit = settings(tmp_path, "organ_seconds: 1.0e-9")
    ran = app("-i", ct, "-o", tmp_path / "out", "-m", models, "-c", limit)
    assert ran.returncode == 1
    codes = [[flag.code for flag in organ.flags] for organ in result(tmp_path / "out").organs]
    assert codes == [["ORGAN_TIME_LIMIT"]] * 2


def test_seg_beside_the_rtstruct(ct: Path, models: Path, tmp_path: Path) -> None:
    both = settings(tmp_path, "outputs: {seg: true}")
    assert app("-i", ct, "-o", tmp_path / "out", "-m", models, "-c", both).returncode == 0
    assert names(tmp_path / "out") == ["result.json", "rtstruct.dcm", "seg.dcm"]
    assert pydicom.dcmread(tmp_path / "out" / "seg.dcm").Modality == "SEG"


class TestUsage:
    """Status 2: OUT is not touched, the message names what is wrong."""

    def refused(self, out: Path, *arguments: object, says: str) -> None:
        before = names(out) if out.exists() else None
        ran = app("-o", out, *arguments)
        assert ran.returncode == 2, ran.stderr
        assert says in ran.stderr
        assert "Traceback" not in ran.stderr
        assert (names(out) if out.exists() else None) == before

    def test_unknown_flag(self, tmp_path: Path) -> None:
        self.refused(tmp_path / "out", "--outpt", says="--outpt")

    def test_unknown_key(self, ct: Path, models: Path, tmp_path: Path) -> None:
        wrong = settings(tmp_path, "organ_second: 3")
        self.refused(
            tmp_path / "out", "-i", ct, "-m", models, "-c", wrong, says="'organ_second'; did you"
        )

    def test_input_that_is_not_there(self, models: Path, tmp_path: Path) -> None:
        self.refused(tmp_path / "out", "-i", tmp_path / "no", "-m", models, says="NO_INPUT")

    def test_models_that_are_not_there(self, ct: Path, tmp_path: Path) -> None:
        self.refused(tmp_path / "out", "-i", ct, "-m", tmp_path / "no", says="NO_MODELS")

    def test_wrong_hash(self, ct: Path, models: Path, tmp_path: Path) -> None:
        shutil.copytree(models, tmp_path / "models")
        with (tmp_path / "models" / "Parotid_R" / "model.ts").open("ab") as file:
            file.write(b"x")
        self.refused(tmp_path / "out", "-i", ct, "-m", tmp_path / "models", says="MODEL_HASH")

    def test_model_that_the_site_does_not_trust(
        self, ct: Path, models: Path, tmp_path: Path
    ) -> None:
        pinned = settings(tmp_path, f"trusted_models: ['{'0' * 64}']")
        self.refused(tmp_path / "out", "-i", ct, "-m", models, "-c", pinned, says="MODEL_HASH")

    def test_organ_that_nobody_knows(self, ct: Path, models: Path, tmp_path: Path) -> None:
        wrong = settings(tmp_path, "organs: [Parotis_L]")
        self.refused(
            tmp_path / "out", "-i", ct, "-m", models, "-c", wrong, says="did you mean Parotid_L"
        )

    @pytest.mark.parametrize("name", ["result.json", "sub/other.DCM"])
    def test_out_in_use(self, name: str, ct: Path, models: Path, tmp_path: Path) -> None:
        (tmp_path / "out" / name).parent.mkdir(parents=True)
        (tmp_path / "out" / name).write_text("kept")
        self.refused(tmp_path / "out", "-i", ct, "-m", models, says="OUTPUT_IN_USE")
        assert (tmp_path / "out" / name).read_text() == "kept"

    def test_out_within_in(self, ct: Path, models: Path) -> None:
        self.refused(ct / "out", "-i", ct, "-m", models, says="OUTPUT_OVERLAPS_INPUT")

    def test_out_that_is_a_file(self, ct: Path, models: Path, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("")
        ran = app("-i", ct, "-o", tmp_path / "out", "-m", models)
        assert ran.returncode == 2
        assert "OUTPUT_NOT_WRITABLE" in ran.stderr


def test_each_study_has_its_folder_and_the_worst_status(
    ct: Path, models: Path, tmp_path: Path
) -> None:
    shutil.copytree(ct, tmp_path / "in" / "a")
    write_ct(tmp_path / "in" / "b", seed="other", anatomy=nothing)
    ran = app("-i", tmp_path / "in", "-o", tmp_path / "out", "-m", models, "--each-study")
    assert ran.returncode == 3
    folders = sorted((tmp_path / "out").iterdir())
    found = {result(folder).exit_status: names(folder) for folder in folders}
    assert found == {0: ["result.json", "rtstruct.dcm"], 3: ["result.json"]}
    assert all(len(folder.name) == 16 for folder in folders)


def test_a_missing_localizer_is_a_matter_of_configuration(
    ct: Path, models: Path, tmp_path: Path
) -> None:
    shutil.copytree(models, tmp_path / "models")
    shutil.rmtree(tmp_path / "models" / "localizer")
    folders = ("-i", ct, "-o", tmp_path / "out", "-m", tmp_path / "models")
    ran = app(*folders, "--progress", "json")
    assert ran.returncode == 2
    assert '{"event": "end", "exit_status": 2}' in ran.stderr
    assert "NO_LOCALIZER" in ran.stderr
    assert not (tmp_path / "out").exists()


def test_progress_for_programs(ct: Path, models: Path, tmp_path: Path) -> None:
    ran = app("-i", ct, "-o", tmp_path / "out", "-m", models, "--progress", "json", "--quiet")
    assert ran.stdout == ""
    events = [json.loads(line) for line in ran.stderr.splitlines()]
    stages = [e["stage"] for e in events if e["event"] == "stage" and e["state"] == "finished"]
    assert stages == ["intake", "localize", "segment", "assess", "write", "deliver"]
    organs = [e for e in events if e["event"] == "organ" and e["state"] == "finished"]
    assert [(e["organ"], e["status"]) for e in organs] == [
        ("Parotid_L", "segmented"),
        ("Parotid_R", "segmented"),
    ]
    assert [e["done"] for e in events if e["event"] == "slices"][-1] == 24
    assert events[-1] == {"event": "end", "exit_status": 0}
