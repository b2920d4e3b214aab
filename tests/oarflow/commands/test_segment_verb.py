"""`oarflow segment`: the same as `python -m app`, without MONAI Deploy; its flags and inputs."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from oarflow.commands import main
from tests.app.workbench import Slow, app, clean_environment, site_settings, write_models
from tests.oarflow.commands.terminal import at_terminal, oarflow

Shown = Callable[..., tuple[set[str], str]]

FIXED = {"SOURCE_DATE_EPOCH": "1700000000"}


def segment(*arguments: object) -> int:
    """Run the verb in this process."""
    return main(["segment", *map(str, arguments)])


def names(folder: Path) -> set[str]:
    """Everything below a folder, hidden or not."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def document(out: Path) -> dict[str, object]:
    return json.loads((out / "result.json").read_text())


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.iterdir()):
            file.write(path, f"SECRET^PATIENT/CT/{path.name}")
    return archive


@pytest.fixture(scope="module")
def by_app(ct: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `python -m app` makes of the phantom at a fixed time."""
    out = tmp_path_factory.mktemp("by_app") / "out"
    ran = app("-i", ct, "-o", out, "-m", models, environment=clean_environment(**FIXED))
    assert ran.returncode == 0, ran.stderr
    return out


def test_same_bytes_as_the_application(
    ct: Path, models: Path, by_app: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = oarflow("segment", ct, "-o", out, "-m", models, environment=clean_environment(**FIXED))
    assert ran.returncode == 0, ran.stderr
    assert (out / "rtstruct.dcm").read_bytes() == (by_app / "rtstruct.dcm").read_bytes()
    one, other = document(out), document(by_app)
    for each in (one, other):
        for key in ("seconds", "stages", "peak_memory_mb"):
            del each["run"][key]
        for organ in each["organs"]:
            del organ["seconds"]
    assert one == other


def test_no_part_of_monai_deploy_is_imported(ct: Path, models: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from oarflow.commands import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "banned = {'monai', 'holoscan', 'app', 'operators'}\n"
        "assert not banned & {name.split('.')[0] for name in sys.modules}\n"
    )
    ran = app("segment", ct, "-o", tmp_path / "out", "-m", models, program=("-c", code))
    assert ran.returncode == 0, ran.stderr


def test_folders_together_are_one_input(
    ct: Path, models: Path, by_app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The series in two folders, one of them named twice and once by its parent."""
    for number, path in enumerate(sorted(ct.iterdir())):
        half = tmp_path / "halves" / ("a" if number % 2 else "b")
        half.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, half)
    a, b = tmp_path / "halves" / "a", tmp_path / "halves" / "b"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", FIXED["SOURCE_DATE_EPOCH"])
    for number, inputs in enumerate(([b, a], [a, b, a], [b, tmp_path / "halves"])):
        out = tmp_path / f"out{number}"
        assert segment(*inputs, "-o", out, "-m", models) == 0
        assert (out / "rtstruct.dcm").read_bytes() == (by_app / "rtstruct.dcm").read_bytes()
        assert document(out)["files"] == {
            "total": 24,
            "classes": {"ct_slice": 24},
            "other_objects": {},
        }


def test_an_archive_gives_the_bytes_of_its_folder(
    ct: Path, models: Path, by_app: Path, tmp_path: Path
) -> None:
    archive, out = zipped(ct, tmp_path / "ct.zip"), tmp_path / "out"
    ran = oarflow(
        "segment", archive, "-o", out, "-m", models, environment=clean_environment(**FIXED)
    )
    assert ran.returncode == 0, ran.stderr
    assert names(out) == {"rtstruct.dcm", "result.json"}
    assert (out / "rtstruct.dcm").read_bytes() == (by_app / "rtstruct.dcm").read_bytes()
    assert "SECRET" not in ran.stdout + ran.stderr + (out / "result.json").read_text()


@pytest.mark.parametrize("each", [[], ["--each-study"]])
def test_a_refused_archive_has_its_reason(
    each: list[str], models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, out = tmp_path / "ct.zip", tmp_path / "out"
    archive.write_bytes(b"PK\x03\x04 no more of it")
    assert segment(archive, "-o", out, "-m", models, "--quiet", *each) == 3
    assert capsys.readouterr().err.startswith("oarflow: refused: ARCHIVE_UNREADABLE (")
    assert names(out) == {"result.json"}
    assert document(out)["refusal"]["code"] == "ARCHIVE_UNREADABLE"
    assert document(out)["refusal"]["remedy"]


def test_every_study_of_an_archive(models: Path, ct: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    archive = zipped(ct, tmp_path / "ct.zip")
    assert segment(archive, "-o", out, "-m", models, "--each-study") == 0
    (study,) = out.iterdir()
    assert names(study) == {"rtstruct.dcm", "result.json"}


def test_a_stopped_run_leaves_nothing_of_an_archive(ct: Path, tmp_path: Path) -> None:
    models = write_models(tmp_path / "models", Parotid_L=Slow())
    archive, out = zipped(ct, tmp_path / "ct.zip"), tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "oarflow", "segment", archive, "-o", out, "-m", models],
        env=clean_environment(TMPDIR=str(tmp_path)),
    )
    while not list(tmp_path.glob("out/.oarflow-*/unpacked-*/*/*")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    assert names(tmp_path) - {str(Path("models") / name) for name in names(models)} == {
        "models",
        "ct.zip",
    }


@pytest.mark.parametrize("content", [None, b"\x1f\x8b\x08 a tar"], ids=["nothing", "a tar"])
def test_what_is_no_input(
    content: bytes | None, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ct.tgz"
    if content is not None:
        path.write_bytes(content)
    assert segment(path, "-o", tmp_path / "out", "-m", models) == 2
    said = capsys.readouterr().err
    assert said == f"oarflow: NO_INPUT: input {path} is neither a folder nor a zip archive\n"
    assert not (tmp_path / "out").exists()


def test_output_is_required(ct: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        segment(ct)
    assert ended.value.code == 2
    assert "-o" in capsys.readouterr().err


@pytest.mark.parametrize("beside", ["ct", "archive"])
def test_output_within_an_input(
    beside: str, ct: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ct, tmp_path / "in" / "ct")
    zipped(ct, tmp_path / "in" / "ct.zip")
    inputs = {"ct": [ct, tmp_path / "in" / "ct"], "archive": [tmp_path / "in" / "ct.zip"]}
    assert segment(*inputs[beside], "-o", tmp_path / "in", "-m", models) == 2
    assert "OUTPUT_OVERLAPS_INPUT" in capsys.readouterr().err


def test_flags_are_settings(
    ct: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = site_settings(tmp_path, models, "organs: [Parotid_R]\nlabel: SITE\n")
    out = tmp_path / "out"
    flags = ["--organs", "left parotid, Brainstem", "--profile", "eclipse", "--seg"]
    changes = [
        "--set",
        "label=OTHER",
        "--set",
        "rois.names.Parotid_L=Left",
        "--set",
        "outputs.report_pdf=yes",
    ]
    assert (
        segment(
            ct,
            "-o",
            out,
            "-m",
            models,
            "-c",
            config,
            "--device",
            "cpu",
            "--report",
            *flags,
            *changes,
            "--set",
            "shifts=false",
        )
        == 0
    )
    made = {"rtstruct.dcm", "seg.dcm", "report.html", "report.pdf", "result.json"}
    assert names(out) == made
    settings = document(out)["settings"]
    assert settings["organs"] == ["left parotid", "Brainstem"]
    assert (settings["profile"], settings["label"]) == ("eclipse", "OTHER")
    assert (settings["device"], settings["shifts"]) == ("cpu", False)
    found = {organ["name"]: organ["status"] for organ in document(out)["organs"]}
    assert found == {"Brainstem": "no_model", "Parotid_L": "segmented"}
    rois = pydicom.dcmread(out / "rtstruct.dcm").StructureSetROISequence
    assert [roi.ROIName for roi in rois] == ["Left"]
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == [f"report: {out / name}" for name in ("report.html", "report.pdf")]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--organs", "Parotis_L"], "unknown organ 'Parotis_L'; did you mean Parotid_L"),
        (["--organs", ""], "no organ is requested"),
        (["--profile", "elipse"], "unknown profile 'elipse': use one of dicom, eclipse"),
        (["--set", "outputs.sge=true"], "--set: unknown key 'outputs.sge'; did you mean seg?"),
        (["--set", "run_seconds=soon"], "--set: run_seconds: "),
        (["--set", "strict"], "write key=value"),
    ],
)
def test_wrong_flags(
    flags: list[str],
    says: str,
    ct: Path,
    models: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert segment(ct, "-o", tmp_path / "out", "-m", models, *flags) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


class TestReport:
    """Written at a terminal, unless somebody decided otherwise."""

    @pytest.fixture
    def shown(
        self,
        ct: Path,
        models: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> Shown:
        """Segments into a folder at a terminal: the files beside the usual ones, and the text."""

        def run(out: Path, *flags: object) -> tuple[set[str], str]:
            monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
            assert segment(ct, "-o", out, "-m", models, *flags) == 0
            return names(out) - {"rtstruct.dcm", "result.json"}, capsys.readouterr().out

        return run

    def test_by_default(self, ct: Path, models: Path, tmp_path: Path) -> None:
        """With a real terminal."""
        out = tmp_path / "out"
        status, shown = at_terminal("segment", ct, "-o", out, "-m", models, "--seg")
        assert status == 0, shown
        assert names(out) == {"rtstruct.dcm", "result.json", "report.html", "seg.dcm"}
        assert shown.splitlines()[-1] == f"report: {out / 'report.html'}"

    def test_quiet_has_the_report_and_no_paths(self, shown: Shown, tmp_path: Path) -> None:
        files, text = shown(tmp_path / "out", "--quiet")
        assert files == {"report.html"}
        assert text == ""

    def test_not_where_it_is_refused(self, shown: Shown, tmp_path: Path) -> None:
        own = tmp_path / "site.yaml"
        own.write_text("outputs: {report_html: false}\n")
        ways = (["--no-report"], ["--set", "outputs.report_html=false"], ["-c", own])
        for number, flags in enumerate(ways):
            files, text = shown(tmp_path / str(number), *flags)
            assert files == set()
            assert "report:" not in text

    def test_no_report_means_none(self, shown: Shown, tmp_path: Path) -> None:
        own = tmp_path / "site.yaml"
        own.write_text("outputs: {report_html: true, report_pdf: true, report_dicom: true}\n")
        files, _ = shown(tmp_path / "out", "-c", own, "--no-report")
        assert files == set()

    def test_elsewhere_as_the_settings_say(self, ct: Path, models: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        assert segment(ct, "-o", out, "-m", models) == 0
        assert names(out) == {"rtstruct.dcm", "result.json"}


def test_run_seconds_from_the_command_line(ct: Path, tmp_path: Path) -> None:
    models = write_models(tmp_path / "models", Parotid_L=Slow(), Parotid_R=Slow())
    ran = oarflow("segment", ct, "-o", tmp_path / "out", "-m", models, "--set", "run_seconds=1")
    assert ran.returncode == 143
    assert "TIME_LIMIT" in ran.stderr
    assert not (tmp_path / "out").exists()


def test_a_time_that_is_none(
    ct: Path,
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    for verb in (["segment", str(ct), "-o", str(tmp_path / "out")], ["self-test"]):
        assert main([*verb, "-m", str(models)]) == 2
        assert capsys.readouterr().err.startswith("oarflow: SOURCE_DATE_EPOCH: ")


def test_missing_models(ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (["segment", str(ct), "-o", str(tmp_path / "out")], ["organs"], ["models"]):
        assert main([*verb, "-m", str(tmp_path / "none")]) == 2
        assert "NO_MODELS" in capsys.readouterr().err
