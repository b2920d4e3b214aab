"""`oarflow self-test`: the test that a site runs after every installation and upgrade.

It contours the bundled sample with the site's networks and device and otherwise default settings.
It compares the result with the release's stored result, the clinicians' contours and the CT's
headers.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.locations import SAMPLE, shipped
from oarflow.run.layers import SettingsLayers
from oarflow.run.paths import Paths, config_path, models_path
from oarflow.run.self_test_judge import Check, Verdict, judge
from oarflow.run.settings import Settings, load_settings
from oarflow.run.signals import StopOnSignal
from oarflow.run.start import run_moment
from oarflow.version import __version__

RECORD_NAME = "self-test.json"
RECORD_VERSION = "1.0"


def run_self_test(
    out: Path | None,
    models: Path | None,
    config: Path | None,
    stop: StopOnSignal,
    started: float,
    *,
    sample: Path | None = None,
) -> ExitStatus:
    """Contour the sample, print every check, and write the record into OUT if that is given.

    sample: a folder with ct/, reference.dcm and expected/. stop: already entered. started:
    time.monotonic() of the start.
    Returns WRITTEN if all checks passed, else FAULT. Raises ConfigurationError: NO_SAMPLE,
    OUTPUT_NOT_WRITABLE, and those of a run.
    """
    sample = sample or shipped(SAMPLE)
    if not (sample / "expected" / "result.json").is_file():
        raise ConfigurationError("NO_SAMPLE", f"{sample} holds no sample with an expected result")
    site = load_settings(config_path(config, os.environ))
    folder = models_path(models, os.environ)
    when = run_moment()
    with tempfile.TemporaryDirectory(prefix="oarflow-self-test-") as scratch:
        produced = Path(scratch) / "out"
        paths = Paths((sample / "ct",), produced, folder, None)
        from oarflow.run.session import Session

        session = Session(paths, _layers(site), when, "none", started)
        session.run(stop)
        checks = judge(sample, produced, folder)
        record = _record(when.isoformat(), checks, produced, time.monotonic() - started)
    sys.stdout.write(as_text(checks))
    if out is not None:
        _write(out, record)
    return ExitStatus.WRITTEN if record["passed"] else ExitStatus.FAULT


def passed(checks: Sequence[Check]) -> bool:
    """Whether no check failed and at least one network was compared with the release's result."""
    compared = any(c.name.startswith("contours ") and c.verdict is Verdict.PASSED for c in checks)
    return compared and all(check.verdict is not Verdict.FAILED for check in checks)


def as_text(checks: Sequence[Check]) -> str:
    """One line per check, and the verdict."""
    lines = [f"{check.verdict.value:13} {check.name}: {check.detail}" for check in checks]
    lines.append("self-test passed" if passed(checks) else "self-test FAILED")
    return "\n".join(lines) + "\n"


def _layers(site: Settings) -> SettingsLayers:
    """The default settings, as for the expected result, on the site's device."""
    kept = ("device", "threads", "trusted_models")
    return SettingsLayers.of(Settings(**{name: getattr(site, name) for name in kept}))


def _record(when: str, checks: Sequence[Check], produced: Path, seconds: float) -> dict[str, Any]:
    result = json.loads((produced / "result.json").read_text(encoding="utf-8"))
    return {
        "schema_version": RECORD_VERSION,
        "program": "oarflow",
        "version": __version__,
        "started": when,
        "seconds": round(seconds, 3),
        "device": result["run"]["device"],
        "passed": passed(checks),
        "checks": [
            {"name": check.name, "verdict": check.verdict.value, "detail": check.detail}
            for check in checks
        ],
        "models": {o["name"]: o["model"] for o in result["organs"] if o["model"] is not None},
    }


def _write(out: Path, record: dict[str, Any]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record, indent=2) + "\n"
        (out / RECORD_NAME).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            "OUTPUT_NOT_WRITABLE", f"output {out} cannot be written: {error.strerror}"
        ) from error
