"""An application that honours the command line, fast: what it does is asked for by a file.

`fake_application.py -i IN -o OUT -m MODELS ...`, or `fake_application.py --orders` for a process
that takes such arguments as orders. MODELS/behaviour.json, if there is one, says:
{"do": "write" | "fault" | "fault that is told" | "usage" | "refuse" | "hold" | "hang" | "eat" |
"crash" | "forge", "seconds": 0.1, "times": how often, after which it writes}. Its output is a small
file that depends on IN and SOURCE_DATE_EPOCH alone, as the application's does. It imports
little, to be quick; that its result.json is valid, the node itself checks.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

WRITTEN, FAULT, USAGE, REFUSED, HELD = 0, 1, 2, 3, 4


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
            held.append(os.urandom(1 << 20) * 16)
            time.sleep(0.01)
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    return _finish(kind, folder, out)


def _finish(kind: str, folder: Path, out: Path) -> int:
    if kind == "fault":
        sys.stderr.write("something is wrong\n")
        return _write(out, FAULT)
    if kind == "fault that is told":
        sys.stderr.write("SECRET^NAME in a library's words\n")
        message = "the self-check found:\n Larynx: contours\u202e shifted"
        return _write(out, FAULT, fault={"kind": "FAULT", "message": message})
    if kind == "usage":
        sys.stderr.write("SECRET^NAME\noarflow: NO_MODELS: models x is no folder (-m)\n")
        return USAGE
    if kind == "refuse":
        refusal = {
            "code": "WRONG_ANATOMY",
            "meaning": "Head and neck were not found in the scan.",
            "remedy": "Send a CT of the head and neck.",
            "detail": "no head in it",
        }
        return _write(out, REFUSED, refusal=refusal)
    say(event="organ", organ="Brainstem", state="started", number=1, total=1)
    files = sorted(folder.iterdir())
    digest = hashlib.sha256(os.environ["SOURCE_DATE_EPOCH"].encode())
    for file in files:
        digest.update(file.read_bytes())
    content = b"\0" * 128 + b"DICM" + digest.digest()
    (out / "rtstruct.dcm").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest() if kind != "forge" else "0" * 64
    output = {
        "path": "rtstruct.dcm",
        "kind": "RTSTRUCT",
        "sop_instance_uid": "2.25.1",
        "sha256": sha256,
    }
    organ = {
        "name": "Brainstem",
        "status": "suspicious" if kind == "hold" else "segmented",
        "volume_cc": 25.0,
        "slices": 20,
        "seconds": 0.1,
    }
    return _write(
        out,
        HELD if kind == "hold" else WRITTEN,
        input=_input(files),
        files={"total": len(files), "classes": {"slice": len(files)}},
        organs=[organ],
        outputs=[output],
    )


def _write(out: Path, exit_status: int, **parts: Any) -> int:
    run = {
        "version": "0",
        "started": "2026-01-01T00:00:00Z",
        "seconds": 0.1,
        "stages": {},
        "device": "cpu",
        "peak_memory_mb": 1,
    }
    document = {"schema_version": "2.0", "run": run, "exit_status": exit_status, **parts}
    (out / "result.json").write_text(json.dumps(document))
    say(event="end", exit_status=exit_status)
    return exit_status


def _behaviour(models: Path) -> dict[str, Any]:
    try:
        behaviour: dict[str, Any] = json.loads((models / "behaviour.json").read_text())
    except FileNotFoundError:
        return {}
    done = len(list(models.glob("run-*")))
    return behaviour if done < int(behaviour.get("times", 1 << 30)) else {}


def _count(models: Path, folder: Path) -> None:
    """Leave a mark: the tests count the runs and what each was given."""
    mark = models / f"run-{time.time_ns()}-{os.getpid()}"
    partial = models / f"mark-{os.getpid()}"
    partial.write_text(json.dumps(sorted(one.name for one in folder.iterdir())))
    partial.rename(mark)


def _input(files: list[Path]) -> dict[str, Any]:
    header = files[0].read_bytes()
    return {
        "study_instance_uid": _uid(header, 0x000D),
        "series_instance_uid": _uid(header, 0x000E),
        "frame_of_reference_uid": _uid(header, 0x0052),
        "pixel_sha256": "0" * 64,
        "slices": len(files),
        "rows": 16,
        "columns": 16,
        "spacing_mm": [3.0, 1.0, 1.0],
        "slice_gaps_mm": None,
        "origin_mm": [0.0, 0.0, 0.0],
        "orientation": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
    }


def _uid(header: bytes, element: int) -> str:
    """A UID of group 0020 of a file in Explicit VR Little Endian."""
    at = header.index(struct.pack("<HH2s", 0x0020, element, b"UI"))
    (length,) = struct.unpack_from("<H", header, at + 6)
    return header[at + 8 : at + 8 + length].rstrip(b"\0").decode("ascii")


def say(**facts: object) -> None:
    """Progress, as the application tells it."""
    sys.stderr.write(json.dumps(facts) + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    if sys.argv[1:] == ["--orders"]:
        from oarflow.warm.serving import serve

        serve(lambda order: (main(list(order.arguments)), True))
    else:
        sys.exit(main(sys.argv[1:]))
