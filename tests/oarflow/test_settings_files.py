"""What pydantic finds wrong with a settings file, in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from oarflow.errors import ConfigurationError
from oarflow.settings_files import MOST_PROBLEMS, checked, read_settings


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    port: int = 1


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    listener: Inner = Inner()
    many: dict[str, Inner] = {}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"listner": {}}, "site: unknown key 'listner'; did you mean listener?"),
        ({"xyz": 1}, "site: unknown key 'xyz'; known are listener, many"),
        ({"listener": {"prot": 1}}, "site: unknown key 'listener.prot'; did you mean port?"),
        ({"many": {"a": {"prot": 1}}}, "site: unknown key 'many.a.prot'"),
        ({"listener": {"port": "x"}}, "site: listener.port: Input should be a valid integer"),
    ],
)
def test_a_problem_is_said_with_its_key(document: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        checked(Outer, document, "site")
    assert str(caught.value).startswith(message)
    assert caught.value.code == "SETTINGS"


def test_a_long_list_is_cut() -> None:
    with pytest.raises(ConfigurationError, match=r"; and 4 more$") as caught:
        checked(Outer, {f"key_{k}": 1 for k in range(MOST_PROBLEMS + 4)}, "site")
    assert str(caught.value).count("unknown key") == MOST_PROBLEMS


def test_a_file_holds_keys_and_values(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("")
    assert read_settings(file) == {}
    file.write_text("[1]")
    with pytest.raises(ConfigurationError, match="must hold keys and values"):
        read_settings(file)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_settings(tmp_path / "other.yaml")
