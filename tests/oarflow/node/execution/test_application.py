"""Which command contours a study, in a checkout and where the wheel is installed alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.node.execution.application import (
    asks_networks,
    asks_settings,
    asks_templates,
    asks_version,
    default_command,
    interpreter,
)
from oarflow.node.execution.workspace import command
from oarflow.node.settings import ExecutionSettings, NodeSettings
from oarflow.run.paths import models_path

OPTIONS = ("-o", "{output}", "-m", "{models}", "--progress", "json", "--quiet")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").touch()
    (tmp_path / "app.yaml").touch()
    return tmp_path


def test_a_checkout_runs_the_application_as_a_graph(checkout: Path) -> None:
    assert default_command(checkout) == ("{python}", "-m", "app", "-i", "{input}", *OPTIONS)
    assert NodeSettings().execution.command == default_command()


def test_an_installed_wheel_runs_the_verb(tmp_path: Path) -> None:
    """`site-packages` may hold another package called app."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").touch()
    found = default_command(tmp_path)
    assert found == ("{python}", "-m", "oarflow", "segment", "{input}", *OPTIONS)


def test_the_networks_are_those_of_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the current folder holds none, as in the service of an installed wheel."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("oarflow.locations.IMAGE_MODELS", tmp_path / "image")
    execution = ExecutionSettings()
    words = command(execution, tmp_path / "in")
    folder = Path(words[words.index("-m", 3) + 1])
    assert (folder / "organs.yaml").is_file()
    assert folder == models_path(None, {})
    (tmp_path / "image").mkdir()
    assert ExecutionSettings().models == tmp_path / "image"


def test_placeholders_are_filled_and_settings_added(tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    execution = ExecutionSettings(
        command=default_command(tmp_path), models=tmp_path / "models", config=file
    )
    words = command(execution, tmp_path / "in")
    assert words[:5] == (interpreter(), "-m", "oarflow", "segment", str(tmp_path / "in"))
    assert words[-2:] == ("--config", str(file))


def test_both_are_asked_for_version_and_settings(checkout: Path, tmp_path: Path) -> None:
    graph, verb = default_command(checkout), default_command(tmp_path / "elsewhere")
    python = interpreter()
    assert asks_version(graph) == (python, "-m", "app", "--version")
    assert asks_version(verb) == (python, "-m", "oarflow", "--version")
    assert asks_settings(graph, None) == (python, "-m", "app", "--print-config")
    file = tmp_path / "own.yaml"
    assert asks_settings(verb, file) == (python, "-m", "oarflow", "config", "--config", str(file))


def test_a_command_of_the_sites_own_is_asked_for_nothing() -> None:
    own = ("podman", "run", "IMAGE", "-i", "{input}", "-o", "{output}")
    assert asks_version(own) is None
    assert asks_settings(own, None) is None
    assert asks_networks(own, Path("models"), None) is None
    assert asks_templates(own, None, Path("models"), Path("templates")) is None


def test_the_commands_of_the_image_and_of_the_program_check_templates(tmp_path: Path) -> None:
    image = ("{python}", "/opt/holoscan/app", "-i", "{input}")
    models, templates = tmp_path / "models", tmp_path / "templates"
    for command_line in (image, default_command(tmp_path)):
        asking = asks_templates(command_line, tmp_path / "app.yaml", models, templates)
        assert asking is not None
        assert asking[1:5] == ("-m", "oarflow", "config", "templates")
        named = dict(zip(asking[5::2], asking[6::2], strict=True))
        assert named == {
            "--models": str(models),
            "--templates": str(templates),
            "--config": str(tmp_path / "app.yaml"),
        }
    assert asks_version(image) == (interpreter(), "-m", "app", "--version")
