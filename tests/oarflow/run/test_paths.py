"""Which folder is taken, of several that are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.errors import ConfigurationError
from oarflow.run.paths import config_path, models_path, resolve


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    for name in ("flag", "holoscan", "monai", "mercure", "models"):
        (tmp_path / name).mkdir()
    return {path.name: str(path) for path in tmp_path.iterdir()}


@pytest.fixture(autouse=True)
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default output exists, as in a container."""
    monkeypatch.setattr("oarflow.run.paths.DEFAULT_OUTPUT", tmp_path)


def test_order_of_inputs(folders: dict[str, str], tmp_path: Path) -> None:
    variables = {
        "HOLOSCAN_INPUT_PATH": folders["holoscan"],
        "MONAI_INPUTPATH": folders["monai"],
        "MERCURE_IN_DIR": folders["mercure"],
    }
    flags: dict[str, Path | None] = {"models": tmp_path / "models"}
    with_flag = {**flags, "input": tmp_path / "flag"}
    assert resolve(with_flag, variables).inputs[0].name == "flag"
    for expected in ("holoscan", "monai", "mercure"):
        assert resolve(flags, variables).inputs[0].name == expected
        variables.pop(next(iter(variables)))


def test_an_empty_variable_counts_as_not_set(folders: dict[str, str], tmp_path: Path) -> None:
    variables = {"HOLOSCAN_INPUT_PATH": " ", "MONAI_INPUTPATH": folders["monai"]}
    assert resolve({"models": tmp_path / "models"}, variables).inputs[0].name == "monai"


def test_relative_variables_start_at_the_workdir(folders: dict[str, str], tmp_path: Path) -> None:
    variables = {
        "HOLOSCAN_WORKDIR": str(tmp_path),
        "HOLOSCAN_INPUT_PATH": "holoscan/",
        "HOLOSCAN_MODEL_PATH": "models",
        "HOLOSCAN_OUTPUT_PATH": "output/",
    }
    paths = resolve({}, variables)
    assert paths.inputs == (tmp_path / "holoscan",)
    assert paths.output == tmp_path / "output"


def checkout(folder: Path) -> Path:
    """A folder that holds the application beside the package, without networks."""
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "__main__.py").write_text("")
    (folder / "app.yaml").write_text("")
    return folder


def test_order_of_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flag, the variables, the image's folder, the checkout's, the package's."""
    names = ("flag", "holoscan", "monai", "image", "checkout/models", "package/models")
    places = [tmp_path / name for name in names]
    checkout(tmp_path / "checkout")
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr("oarflow.locations.IMAGE_MODELS", tmp_path / "image")
    monkeypatch.setattr("oarflow.locations.DATA", tmp_path / "package")
    variables = {
        "HOLOSCAN_MODEL_PATH": str(tmp_path / "holoscan"),
        "MONAI_MODELPATH": str(tmp_path / "monai"),
    }
    flag: Path | None = tmp_path / "flag"
    for place in places:
        assert models_path(flag, variables, tmp_path / "checkout") == place
        if flag is not None:
            flag = None
        elif variables:
            variables.pop(next(iter(variables)))
        else:
            place.rmdir()
    with pytest.raises(ConfigurationError, match=r"models folder .* does not exist"):
        models_path(None, {}, tmp_path / "checkout")


def test_site_packages_is_no_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder `models` of another package beside ours holds no networks of ours."""
    (tmp_path / "site-packages" / "models").mkdir(parents=True)
    (tmp_path / "package" / "models").mkdir(parents=True)
    monkeypatch.setattr("oarflow.locations.IMAGE_MODELS", tmp_path / "image")
    monkeypatch.setattr("oarflow.locations.DATA", tmp_path / "package")
    found = models_path(None, {}, tmp_path / "site-packages")
    assert found == tmp_path / "package" / "models"


def test_the_default_output_is_never_made(
    folders: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags: dict[str, Path | None] = {"input": tmp_path / "flag", "models": tmp_path / "models"}
    mounted = tmp_path / "var" / "output"
    monkeypatch.setattr("oarflow.run.paths.DEFAULT_OUTPUT", mounted)
    with pytest.raises(ConfigurationError, match="no output folder is given") as caught:
        resolve(flags, {"HOLOSCAN_OUTPUT_PATH": " "})
    assert caught.value.code == "NO_OUTPUT"
    assert not mounted.exists()
    mounted.mkdir(parents=True)
    assert resolve(flags, {}).output == mounted
    named = resolve(flags, {"MERCURE_OUT_DIR": str(tmp_path / "new")})
    assert named.output == tmp_path / "new"


def test_models_named_by_a_variable_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MONAI_MODELPATH"):
        resolve({"input": tmp_path}, {"MONAI_MODELPATH": str(tmp_path / "no")})


def test_settings_beside_the_program_where_nothing_is_mounted(tmp_path: Path) -> None:
    checkout(tmp_path)
    default = {"HOLOSCAN_CONFIG_PATH": "/var/holoscan/app.yaml"}
    assert config_path(None, default, tmp_path) == tmp_path / "app.yaml"
    assert config_path(None, {}, tmp_path) == tmp_path / "app.yaml"
    assert config_path(None, {}, tmp_path / "elsewhere") is None


def test_named_settings_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="HOLOSCAN_CONFIG_PATH"):
        config_path(None, {"HOLOSCAN_CONFIG_PATH": str(tmp_path / "no.yaml")}, tmp_path)
