"""`--each-study`: one warm process for all studies. What ends the process costs one study only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from oarflow.commands import main
from oarflow.errors import ExitStatus
from oarflow.intake import studies
from oarflow.run.each_study import contour_each
from oarflow.run.layers import SettingsLayers
from oarflow.run.paths import Paths
from oarflow.run.signals import StopOnSignal
from oarflow.run.start import Display
from oarflow.warm.process import WarmProgram
from tests.app.workbench import REPOSITORY, write_ct, write_models
from tests.oarflow.commands.conftest import process_as_before
from tests.oarflow.node.node_bench import is_alive, wait_for

__all__ = ["process_as_before"]

SEEDS = ("one", "two", "three")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three studies in `ct`, and networks in `models`."""
    made = tmp_path_factory.mktemp("each")
    for seed in SEEDS:
        write_ct(made / "ct" / seed, seed=seed)
    write_models(made / "models")
    return made


def uids(folder: Path) -> Sequence[str]:
    """Study UIDs in the order in which they are contoured."""
    return [study.uid for study in studies(folder / "ct")]


def digests(folder: Path) -> dict[str, str]:
    return {study.uid: study.digest for study in studies(folder / "ct")}


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text())


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    """The document but for times, memory and the files of other studies."""
    run = {k: v for k, v in document["run"].items() if k not in ("seconds", "stages")}
    run.pop("peak_memory_mb")
    organs = [{k: v for k, v in organ.items() if k != "seconds"} for organ in document["organs"]]
    kept = {k: v for k, v in document.items() if k != "files"}
    return {**kept, "run": run, "organs": organs}


def test_each_study_has_the_bytes_of_a_run_of_its_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    words = ("-m", str(folder / "models"), "--quiet")
    assert (
        main(["segment", str(folder / "ct"), "-o", str(tmp_path / "w"), *words, "--each-study"])
        == 0
    )
    for seed in SEEDS:
        out = tmp_path / seed
        assert main(["segment", str(folder / "ct" / seed), "-o", str(out), *words]) == 0
        uid = result(out)["input"]["study_instance_uid"]
        warm = tmp_path / "w" / digests(folder)[uid]
        assert (warm / "rtstruct.dcm").read_bytes() == (out / "rtstruct.dcm").read_bytes()
        assert without_times(result(warm)) == without_times(result(out))
        assert result(warm)["files"]["classes"] == {"ct_slice": 24, "object_of_other_study": 48}


class Poisoned:
    """A run in which one study ends its process."""

    def __init__(self, folder: Path, scratch: Path, number: int, how: int) -> None:
        """number: of the study, from 0. how: exit status, or a negative signal."""
        self.uid = uids(folder)[number]
        self.marks = scratch / "marks"
        self.marks.mkdir()
        self.out = scratch / "out"
        script = Path(__file__).with_name("poisoned_segment.py")
        command = (sys.executable, str(script), str(self.marks), self.uid, str(how))
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
        program = WarmProgram(command, environment, Path.cwd(), 50, merged=False)
        paths = Paths((folder / "ct",), self.out, folder / "models", None)
        with StopOnSignal() as stop:
            self.status = contour_each(
                paths,
                SettingsLayers.read(None).settings(),
                stop,
                Display("none", quiet=True),
                program=program,
                options=("-m", str(folder / "models"), "--progress", "none"),
            )

    def orders(self) -> list[str]:
        """The studies of all orders."""
        return [mark.name.split("-")[2] for mark in sorted(self.marks.iterdir())]

    def processes(self) -> list[str]:
        """The process of each order."""
        return [mark.name.split("-")[1] for mark in sorted(self.marks.iterdir())]


@pytest.mark.parametrize(
    ("number", "how", "orders", "words"),
    [
        (1, -9, (0, 1, 1, 2), "the process that contoured was killed (signal 9)"),
        (0, -9, (0, 1, 2), "the process that contoured was killed (signal 9)"),
        (2, 7, (0, 1, 2, 2), "the process that contoured ended with exit status 7"),
        (1, 143, (0, 1, 2), "contouring took longer than run_seconds: 3600"),
    ],
)
def test_a_study_that_ends_its_process_costs_no_other(
    folder: Path, tmp_path: Path, number: int, how: int, orders: Sequence[int], words: str
) -> None:
    """A process that had other studies before gets no blame: a new one tries once more."""
    ran = Poisoned(folder, tmp_path, number, how)
    assert ran.status == ExitStatus.FAULT
    assert ran.orders() == [uids(folder)[order] for order in orders]
    assert len(set(ran.processes())) < len(orders)
    for uid, digest in digests(folder).items():
        document = result(ran.out / digest)
        if uid == ran.uid:
            assert document["fault"] == {"kind": "FAULT", "message": words}
            assert document["exit_status"] == 1
            assert {path.name for path in (ran.out / digest).iterdir()} == {"result.json"}
        else:
            assert document["exit_status"] == 0
            assert (ran.out / digest / "rtstruct.dcm").is_file()
    assert {path.name for path in ran.out.iterdir()} == set(digests(folder).values())


def test_a_stopped_run_keeps_finished_studies_and_ends_its_process(
    folder: Path, tmp_path: Path
) -> None:
    """SIGTERM in the second study."""
    marks, out = tmp_path / "marks", tmp_path / "out"
    marks.mkdir()
    script = Path(__file__).with_name("poisoned_segment.py")
    uid = uids(folder)[1]
    program = (
        "import sys\n"
        "from oarflow.commands import main, warm_segment\n"
        "from dataclasses import replace\n"
        f"command = (sys.executable, {str(script)!r}, {str(marks)!r}, {uid!r}, '0')\n"
        "made = replace(warm_segment.program(), command=command)\n"
        "warm_segment.program = lambda: made\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = ["segment", folder / "ct", "-o", out, "-m", folder / "models", "--each-study"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
    )
    wait_for(lambda: len(list(marks.iterdir())) == 2, 120)
    pid = int(max(marks.iterdir()).name.split("-")[1])
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    wait_for(lambda: not is_alive(pid), 10)
    assert {path.name for path in out.iterdir()} == {digests(folder)[uids(folder)[0]]}


def test_wrong_networks_leave_the_output_folder_as_it_was(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    models = write_models(tmp_path / "models")
    (models / "localizer" / "model.ts").unlink()
    words = ["-m", str(models), "--each-study", "--quiet"]
    assert main(["segment", str(folder / "ct"), "-o", str(tmp_path / "out"), *words]) == 2
    assert capfd.readouterr().err.startswith("oarflow: MODEL_")
    assert not (tmp_path / "out").exists()
