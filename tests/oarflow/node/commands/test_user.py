"""`user`: what is not named stays as it is."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from oarflow.commands import main
from tests.oarflow.node.node_bench import settings_at

PASSWORD = "correct horse battery"


class Console:
    """Somebody at the command line."""

    def __init__(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._config = root / "node.yaml"
        self._config.write_text(settings_at(root).as_yaml())
        self._patch, self._capture = monkeypatch, capsys

    def __call__(self, *words: str, command: str = "user") -> str:
        self._patch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
        assert main(["node", "-c", str(self._config), command, *words]) == 0
        return self._capture.readouterr().out


@pytest.fixture
def user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Console:
    return Console(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_a_new_password_leaves_the_role(user: Console, role: str) -> None:
    assert user("put", "jane", "--role", role).split() == ["jane", role]
    assert user("put", "jane").split() == ["jane", role]
    assert user("list").split() == ["jane", role]
    entries = [json.loads(line) for line in user(command="audit").splitlines()]
    changes = [(one["detail"]["role"], one["detail"]["change"]) for one in entries[:2]]
    assert changes == [(role, "password and role"), (role, "password")]


def test_a_new_user_is_a_viewer_and_a_role_that_is_named_counts(user: Console) -> None:
    assert user("put", "jane").split() == ["jane", "viewer"]
    assert user("put", "jane", "--role", "operator").split() == ["jane", "operator"]
    assert user("put", "jane", "--role", "viewer").split() == ["jane", "viewer"]


def test_a_new_password_lets_nobody_in_who_is_disabled(user: Console) -> None:
    user("put", "jane", "--role", "operator")
    assert user("disable", "jane").split() == ["jane", "operator", "(disabled)"]
    assert user("put", "jane", "--role", "viewer").split() == ["jane", "viewer", "(disabled)"]
    assert user("enable", "jane").split() == ["jane", "viewer"]
