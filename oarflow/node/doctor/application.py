"""Checks of the application: that it starts, and that it writes what the destinations want."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from oarflow.locations import ROOT
from oarflow.node.doctor.results import CheckResult, CheckStatus, bad, good
from oarflow.node.execution.application import asks_networks, asks_settings, asks_version
from oarflow.node.execution.engine import Engine, EngineLost
from oarflow.node.execution.workspace import command
from oarflow.node.settings import NodeSettings
from oarflow.yaml_files import parse_yaml, read_yaml

WRITTEN_BY = {
    "SEG": "seg",
    "ENCAPSULATED_PDF": "report_dicom",
    "REPORT_PDF": "report_pdf",
    "REPORT_HTML": "report_html",
}
"""The key of `outputs` in the application's settings for each kind of object."""


def application(settings: NodeSettings) -> Iterator[CheckResult]:
    """The command exists and names its folders; the networks exist; the scheduler answers."""
    execution = settings.execution
    program = command(execution, Path("in"))[0]
    found = shutil.which(program)
    if found is None:
        yield bad("application", f"{program} is not found", "correct execution.command")
    else:
        yield good("application", f"the program of execution.command exists: {found}")
    asking = asks_version(execution.command)
    if asking is None:
        yield from _own_command(settings)
    else:
        yield _asked_for_version(asking)
    if not execution.models.is_dir():
        yield bad("models", f"{execution.models} is not a folder", "correct execution.models")
    else:
        yield good("models", f"{execution.models.absolute()}")
    if execution.scheduler is not None:
        yield from _scheduler(settings)


def _own_command(settings: NodeSettings) -> Iterator[CheckResult]:
    """Checks of a command that the site wrote: doctor cannot ask it for its version."""
    said = " ".join(settings.execution.command)
    for word in ("{input}", "{output}"):
        if word not in said:
            yield bad("application", f"execution.command lacks {word}", f"add {word}")
    yield CheckResult(
        "application",
        CheckStatus.DOUBTFUL,
        "execution.command is not OARflow's own, so doctor does not start it",
        "test it with one study: oarflow node batch DIR -o OUT",
    )


def _asked_for_version(asking: tuple[str, ...]) -> CheckResult:
    try:
        answer = subprocess.run(asking, cwd=ROOT, capture_output=True, timeout=120, check=True)
        return good("application", answer.stdout.decode(errors="replace").strip())
    except (OSError, subprocess.SubprocessError):
        return bad(
            "application",
            "does not start",
            f"run `{' '.join(asking)}` and read its message",
        )


def _scheduler(settings: NodeSettings) -> Iterator[CheckResult]:
    engine = Engine(settings.execution)
    try:
        engine.open()
        slots = engine.slots()
    except EngineLost as error:
        yield bad("scheduler", str(error), "check execution.scheduler, its port and certificates")
        return
    finally:
        engine.close()
    if slots:
        yield good("scheduler", f"answers; its workers take {slots} jobs at once")
    else:
        yield bad(
            "scheduler",
            "answers, but no worker has the resources that a job takes",
            "start workers with --resources as in execution.resources",
        )


def outputs(settings: NodeSettings) -> Iterator[CheckResult]:
    """The application's settings are valid, and write the objects that the destinations get."""
    path = settings.execution.config
    if path is not None:
        try:
            document = read_yaml(path)
            if not isinstance(document, dict | None):
                raise ValueError("not a table of keys and values")
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or str(error)
            yield bad("application", f"{path}: {said}", "correct execution.config")
            return
    asking = asks_settings(settings.execution.command, path)
    if asking is not None:
        document = answered(asking)
        if document is None:
            yield bad(
                "application",
                "does not accept its settings",
                f"run `{' '.join(asking)}` and read its message",
            )
            return
    elif path is None:
        return
    yield from _lacking(settings, document if isinstance(document, dict) else {})


def answered(
    asking: tuple[str, ...], parse: Callable[[str], object] = parse_yaml
) -> dict[str, object] | None:
    """What the application prints; None if it refuses its settings."""
    try:
        answer = subprocess.run(asking, cwd=ROOT, capture_output=True, timeout=120, check=True)
        document = parse(answer.stdout.decode("utf-8"))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def networks(settings: NodeSettings) -> Iterator[CheckResult]:
    """Networks that the site uses without having commissioned them."""
    execution = settings.execution
    asking = asks_networks(execution.command, execution.models, execution.config)
    if asking is None or not execution.models.is_dir():
        return
    found = answered(asking, json.loads)
    if found is None:
        remedy = f"run `{' '.join(asking)}` and read its message"
        yield bad("networks", "cannot be listed with their commissioning records", remedy)
        return
    for name, card in found.items():
        words = card.get("commissioned") if isinstance(card, dict) else None
        if isinstance(words, str) and (words == "no" or words.startswith("record not valid")):
            yield CheckResult(
                f"network {name}",
                CheckStatus.DOUBTFUL,
                f"commissioned at this site: {words}",
                "run `oarflow commission`; until then its contours are suspicious",
            )


def _lacking(settings: NodeSettings, document: dict[str, object]) -> Iterator[CheckResult]:
    asked = document.get("outputs")
    asked = asked if isinstance(asked, dict) else {}
    for name, destination in settings.delivery.destinations.items():
        missing = [kind for kind in destination.objects if not asked.get(WRITTEN_BY.get(kind, ""))]
        missing = [kind for kind in missing if kind in WRITTEN_BY]
        if not missing:
            continue
        subject = f"destination {name}"
        text = f"gets {', '.join(missing)}, which the application does not write"
        keys = ", ".join(f"{WRITTEN_BY[kind]}: true" for kind in missing)
        remedy = f"set outputs: {{{keys}}} in execution.config, or remove it from `objects`"
        if len(missing) == len(destination.objects):
            yield bad(subject, f"{text}: every study would become a dead letter", remedy)
        else:
            yield CheckResult(subject, CheckStatus.DOUBTFUL, text, remedy)
