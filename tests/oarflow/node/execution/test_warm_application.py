"""The real application in a warm process: the bytes of a process of its own, with its own log."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oarflow.node.execution import workspace
from oarflow.node.execution.application import (
    BY_VERB,
    IN_GRAPH,
    IN_IMAGE,
    WARM,
    default_command,
    warm_arguments,
)
from oarflow.node.execution.order import End, RunOrder
from oarflow.node.execution.runner import LOG_NAME, run
from oarflow.node.settings import NodeSettings
from tests.app.workbench import nothing, write_ct, write_models

OPTIONS = ("-o", "{output}", "-m", "{models}")


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ((*BY_VERB, "{input}", *OPTIONS), ("segment", "{input}", *OPTIONS)),
        ((*IN_GRAPH, "-i", "{input}", *OPTIONS), ("segment", "{input}", *OPTIONS)),
        ((*IN_IMAGE, "-i", "{input}", "--debug"), ("segment", "{input}", "--debug")),
        ((*IN_GRAPH, *OPTIONS, "-i", "{input}"), None),
        ((*IN_GRAPH, "-i", "{input}", "--model", "{models}"), None),
        (("podman", "run", "IMAGE", "-i", "{input}"), None),
    ],
)
def test_only_commands_of_oarflow_become_orders(
    command: tuple[str, ...], arguments: tuple[str, ...] | None
) -> None:
    assert warm_arguments(command) == arguments


@pytest.mark.parametrize(("studies", "is_warm"), [(1, False), (2, True)])
def test_a_setting_switches_warm_processes_off(tmp_path: Path, studies: int, is_warm: bool) -> None:
    settings = NodeSettings.model_validate(
        {"execution": {"studies_per_process": studies, "config": str(tmp_path / "app.yaml")}}
    )
    made = workspace.order(settings, 1, "token", tmp_path, 7, context={})
    assert (made.warm is not None) is is_warm
    if made.warm is not None:
        assert (made.warm.program, made.warm.studies) == (WARM, 2)
        filled = [part for part in made.warm.arguments if part.startswith("{")]
        assert filled == ["{output}"]
        options = made.command[made.command.index("-o") :]
        assert made.warm.arguments == ("segment", str(tmp_path / "in"), *options)


def order(settings: NodeSettings, folder: Path, **changes: object) -> RunOrder:
    """An order for the CT in `folder/in`."""
    made = workspace.order(settings, 1, "token", folder, 1_700_000_000, context={})
    return replace(made, time_limit_seconds=300, **changes)


def test_a_warm_process_writes_the_bytes_of_a_process_of_its_own(tmp_path: Path) -> None:
    """The second study after another CT, and a third after one that is refused."""
    models = write_models(tmp_path / "models")
    settings = NodeSettings.model_validate(
        {"execution": {"models": str(models), "environment": {"OMP_NUM_THREADS": "1"}}}
    )
    assert settings.execution.command == default_command()
    for name, anatomy in (("a", {}), ("b", {}), ("empty", {"anatomy": nothing})):
        write_ct(tmp_path / name / "in", seed=name, **anatomy)
    said: list[dict[str, Any]] = []
    warm = [run(order(settings, tmp_path / name), said.append) for name in ("a", "empty", "b")]
    assert [(one.end, one.exit_status) for one in warm] == [
        (End.EXITED, 0),
        (End.EXITED, 3),
        (End.EXITED, 0),
    ]
    cold = run(order(settings, tmp_path / "b", warm=None), said.append)
    results = [Path(one.output) for one in (warm[2], cold)]
    assert len({(out / "rtstruct.dcm").read_bytes() for out in results}) == 1
    documents = [json.loads((out / "result.json").read_text()) for out in results]
    assert documents[0]["input"] == documents[1]["input"]
    assert documents[0]["files"] == documents[1]["files"]
    for name in ("a", "empty", "b"):
        log = (tmp_path / name / LOG_NAME).read_text()
        assert "SECRET" not in log
    assert any("stage" in one for one in said)  # short stages can pass between two looks
