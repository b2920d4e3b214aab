"""An application that honours the command line, fast: what it does is asked for by a file.

`fake_application.py -i IN -o OUT -m MODELS ...`. MODELS/behaviour.json, if there is one, says:
{"do": "write" | "fault" | "refuse" | "hold" | "hang" | "eat" | "crash" | "forge", "seconds": 0.1,
"times": how often, after which it writes}. Its output is a small file that depends on IN and
SOURCE_DATE_EPOCH alone, as the application's does.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from pydicom import dcmread

from oarflow.errors import Code, ExitStatus, Finding, Refusal
from oarflow.result import FILE_NAME, Files, Input, OrganPart, OutputPart, Result, Run, refusal_part
from oarflow.structures import Status


def main(argv: list[str]) -> int:
    """Do as asked."""
    folder, out, models = (Path(argv[argv.index(flag) + 1]) for flag in ("-i", "-o", "-m"))
    behaviour = _behaviour(models)
    say(event="stage", stage="intake", state="started")
    _count(models, folder)
    time.sleep(float(behaviour.get("seconds", 0)))
    kind = behaviour.get("do", "write")
    if kind == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)
    if kind == "eat":
        held = []
        while True:
            held.append(bytearray(os.urandom(1 << 20)) * 16)
            time.sleep(0.01)
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    return _finish(kind, folder, out)


def _finish(kind: str, folder: Path, out: Path) -> int:
    if kind == "fault":
        sys.stderr.write("something is wrong\n")
        return _write(out, Result(run=_run(), exit_status=ExitStatus.FAULT))
    if kind == "refuse":
        refusal = refusal_part(Refusal(Finding(Code.WRONG_ANATOMY, "no head in it")))
        return _write(out, Result(run=_run(), exit_status=ExitStatus.REFUSED, refusal=refusal))
    say(event="organ", organ="Brainstem", state="started", number=1, total=1)
    files = sorted(folder.iterdir())
    digest = hashlib.sha256(os.environ["SOURCE_DATE_EPOCH"].encode())
    for file in files:
        digest.update(file.read_bytes())
    content = b"\0" * 128 + b"DICM" + digest.digest()
    (out / "rtstruct.dcm").write_bytes(content)
    sha = hashlib.sha256(content).hexdigest() if kind != "forge" else "0" * 64
    output = OutputPart(path="rtstruct.dcm", kind="RTSTRUCT", sop_instance_uid="2.25.1", sha256=sha)
    status = ExitStatus.HELD if kind == "hold" else ExitStatus.WRITTEN
    organ = OrganPart(
        name="Brainstem", status=Status.SEGMENTED, volume_cc=25.0, slices=20, seconds=0.1
    )
    return _write(
        out,
        Result(
            run=_run(),
            exit_status=status,
            input=_input(files),
            files=Files(total=len(files), classes={"slice": len(files)}),
            organs=(organ,),
            outputs=(output,),
        ),
    )


def _write(out: Path, result: Result) -> int:
    (out / FILE_NAME).write_bytes(result.as_json())
    say(event="end", exit_status=result.exit_status)
    return result.exit_status


def _behaviour(models: Path) -> dict[str, object]:
    try:
        behaviour: dict[str, object] = json.loads((models / "behaviour.json").read_text())
    except FileNotFoundError:
        return {}
    done = len(list(models.glob("run-*")))
    return behaviour if done < int(str(behaviour.get("times", 1 << 30))) else {}


def _count(models: Path, folder: Path) -> None:
    """Leave a mark: the tests count the runs and what each was given."""
    mark = models / f"run-{time.time_ns()}-{os.getpid()}"
    mark.write_text(json.dumps(sorted(one.name for one in folder.iterdir())))


def _run() -> Run:
    return Run(
        started="2026-01-01T00:00:00Z", seconds=0.1, stages={}, device="cpu", peak_memory_mb=1
    )


def _input(files: list[Path]) -> Input:
    header = dcmread(files[0], stop_before_pixels=True)
    return Input(
        study_instance_uid=str(header.StudyInstanceUID),
        series_instance_uid=str(header.SeriesInstanceUID),
        frame_of_reference_uid=str(header.get("FrameOfReferenceUID", "")),
        pixel_sha256="0" * 64,
        slices=len(files),
        rows=int(header.Rows),
        columns=int(header.Columns),
        spacing_mm=(3.0, 1.0, 1.0),
        slice_gaps_mm=None,
        origin_mm=(0.0, 0.0, 0.0),
        orientation=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    )


def say(**facts: object) -> None:
    """Progress, as the application tells it."""
    sys.stderr.write(json.dumps(facts) + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
