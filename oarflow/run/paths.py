"""The folders of a run: from options, else the hosts' variables, else the package's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oarflow.errors import ConfigurationError
from oarflow.locations import ROOT, default_models, shipped

INPUT = ("HOLOSCAN_INPUT_PATH", "MONAI_INPUTPATH", "MERCURE_IN_DIR")
OUTPUT = ("HOLOSCAN_OUTPUT_PATH", "MONAI_OUTPUTPATH", "MERCURE_OUT_DIR")
MODELS = ("HOLOSCAN_MODEL_PATH", "MONAI_MODELPATH")
CONFIG = ("HOLOSCAN_CONFIG_PATH",)

DEFAULT_INPUT = Path("/var/holoscan/input")
DEFAULT_OUTPUT = Path("/var/holoscan/output")
DEFAULT_CONFIG = Path("/var/holoscan/app.yaml")


@dataclass(frozen=True)
class Paths:
    """Absolute paths of a run.

    inputs: folders and zip archives that together are one input. config: None without a settings
    file.
    """

    inputs: tuple[Path, ...]
    output: Path
    models: Path
    config: Path | None


def resolve(
    flags: Mapping[str, Path | None], environment: Mapping[str, str], beside: Path = ROOT
) -> Paths:
    """The paths of a run.

    flags: by input, output, models and config; None where not given. An empty variable counts as
    not set; a relative path starts at HOLOSCAN_WORKDIR if that is set. If the default models or
    settings do not exist, those beside the program are used.

    Raises ConfigurationError (NO_INPUT, NO_OUTPUT, NO_MODELS, NO_CONFIG) with the path's origin.
    """
    source, named = _first(flags.get("input"), INPUT, environment) or (DEFAULT_INPUT, "default")
    if not source.is_dir():
        raise ConfigurationError("NO_INPUT", f"input {source} is not a folder ({named})")
    return Paths(
        (source.resolve(),),
        _output(flags.get("output"), environment).resolve(),
        models_path(flags.get("models"), environment, beside),
        config_path(flags.get("config"), environment, beside),
    )


def _output(flag: Path | None, environment: Mapping[str, str]) -> Path:
    """The output folder. The default is a host's mount and is never created.

    Raises ConfigurationError NO_OUTPUT.
    """
    found = _first(flag, OUTPUT, environment)
    if found:
        return found[0]
    if not DEFAULT_OUTPUT.is_dir():
        raise ConfigurationError(
            "NO_OUTPUT", f"no output folder is given, and {DEFAULT_OUTPUT} does not exist"
        )
    return DEFAULT_OUTPUT


def config_path(
    flag: Path | None, environment: Mapping[str, str], beside: Path = ROOT
) -> Path | None:
    """The settings file; the one beside the program if a host mounts over the default's folder."""
    found = _first(flag, CONFIG, environment)
    if found and found[0].is_file():
        return found[0].resolve()
    if found and found[0] != DEFAULT_CONFIG:
        raise ConfigurationError("NO_CONFIG", f"settings {found[0]} do not exist ({found[1]})")
    for candidate in (DEFAULT_CONFIG, shipped("app.yaml", beside)):
        if candidate.is_file():
            return candidate
    return None


def models_path(flag: Path | None, environment: Mapping[str, str], beside: Path = ROOT) -> Path:
    """The models folder. Raises ConfigurationError NO_MODELS."""
    found = _first(flag, MODELS, environment)
    if found:
        if not found[0].is_dir():
            raise ConfigurationError("NO_MODELS", f"models {found[0]} is not a folder ({found[1]})")
        return found[0].resolve()
    folder = default_models(beside)
    if not folder.is_dir():
        message = f"the models folder {folder} does not exist: name one"
        raise ConfigurationError("NO_MODELS", message)
    return folder


def _first(
    flag: Path | None, variables: tuple[str, ...], environment: Mapping[str, str]
) -> tuple[Path, str] | None:
    """The first path that is given, and its origin in words."""
    if flag is not None:
        return flag, "command line"
    for name in variables:
        value = environment.get(name, "").strip()
        if value:
            return Path(environment.get("HOLOSCAN_WORKDIR", ""), value), name
    return None
