"""/etc/holoscan/app.json and pkg.json from one source: app.yaml, pyproject.toml and models/.

The version is in the file that pyproject.toml names for it, `[tool.hatch.version] path`.

They satisfy the specification's text 1.0.0 and what holoscan-cli 4.2.0 reads, which differ: the
text asks for `type` and `output.format`, the tool reads `output.path`, `workingDirectory` and
`formats`, and accepts only an integer as the number of GPUs.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oarflow.errors import ConfigurationError
from oarflow.settings_files import read_settings

API_VERSION = "1.0.0"
COMMAND = "python3 /opt/holoscan/app"
SDK_PACKAGE = "monai-deploy-app-sdk"
SDK_EXTRA = "monai-deploy"
ENVIRONMENT = {
    "HOLOSCAN_APPLICATION": "/opt/holoscan/app/",
    "HOLOSCAN_INPUT_PATH": "/var/holoscan/input/",
    "HOLOSCAN_OUTPUT_PATH": "/var/holoscan/output/",
    "HOLOSCAN_WORKDIR": "/var/holoscan/",
    "HOLOSCAN_MODEL_PATH": "/opt/holoscan/models/",
    "HOLOSCAN_CONFIG_PATH": "/var/holoscan/app.yaml",
    "HOLOSCAN_APP_MANIFEST_PATH": "/etc/holoscan/app.json",
    "HOLOSCAN_PKG_MANIFEST_PATH": "/etc/holoscan/pkg.json",
    "HOLOSCAN_DOCS": "/opt/holoscan/docs/",
    "HOLOSCAN_DOCS_PATH": "/opt/holoscan/docs/",
    "HOLOSCAN_LOGS": "/var/holoscan/logs/",
    "HOLOSCAN_LOGS_PATH": "/var/holoscan/logs/",
}
"""Variables that a host passes to the application. The specification and the packager use different
names for the folders of docs and logs, so both are here."""

_VERSION = re.compile(r"^__version__ = [\"']([^\"']+)[\"']$", re.MULTILINE)
_SIZE = re.compile(r"[0-9]+(\.[0-9])?(Mi|Gi)")
_SIZES = ("memory", "sharedMemory", "gpuMemory")
_COUNTS = ("cpu", "gpu")


@dataclass(frozen=True)
class SourceTree:
    """What the manifests are made of.

    version: of the application; sdk_version: of the MONAI Deploy App SDK. models: folder names.
    timeout: seconds after which the application gives a run up; 0 for never.
    """

    version: str
    sdk_version: str
    resources: Mapping[str, int | str]
    input_formats: tuple[str, ...]
    output_formats: tuple[str, ...]
    models: tuple[str, ...]
    timeout: int


def read_source(root: Path) -> SourceTree:
    """Read a source tree. Raises ConfigurationError MANIFEST naming the file and what is wrong."""
    project = _project(root / "pyproject.toml")
    version = _version(root, project)
    settings = _settings(root / "app.yaml")
    application = settings.get("application") or {}
    if str(application.get("version")) != version:
        raise _wrong(f"app.yaml: application.version is not {version}, the package's version")
    return SourceTree(
        version=version,
        sdk_version=_pinned(project, SDK_PACKAGE),
        resources=_resources(settings.get("resources")),
        input_formats=_formats(application, "inputFormats"),
        output_formats=_formats(application, "outputFormats"),
        models=tuple(sorted(path.parent.name for path in root.glob("models/*/model.json"))),
        timeout=_timeout(settings.get("run_seconds")),
    )


def app_manifest(source: SourceTree) -> dict[str, Any]:
    """/etc/holoscan/app.json."""
    return {
        "apiVersion": API_VERSION,
        "type": "application",
        "command": COMMAND,
        "environment": dict(ENVIRONMENT),
        "input": {"path": "input/", "formats": list(source.input_formats)},
        "output": {
            "path": "output/",
            "format": {"type": source.output_formats[0]},
            "formats": list(source.output_formats),
        },
        "sdk": "monai-deploy",
        "sdkVersion": source.sdk_version,
        "timeout": source.timeout,
        "version": source.version,
        "workingDirectory": "/var/holoscan/",
    }


def pkg_manifest(source: SourceTree) -> dict[str, Any]:
    """/etc/holoscan/pkg.json."""
    return {
        "apiVersion": API_VERSION,
        "applicationRoot": "/opt/holoscan/app/",
        "modelRoot": "/opt/holoscan/models/",
        "models": [{"name": name, "path": name} for name in source.models],
        "resources": dict(source.resources),
        "version": source.version,
        "platformConfig": "dgpu",
    }


def write_manifests(source: SourceTree, out: Path) -> tuple[Path, Path]:
    """Write both files, mode 0444, into a folder, which is made if it does not exist."""
    out.mkdir(parents=True, exist_ok=True)
    return (
        _write(out / "app.json", app_manifest(source)),
        _write(out / "pkg.json", pkg_manifest(source)),
    )


def _write(path: Path, document: dict[str, Any]) -> Path:
    path.unlink(missing_ok=True)  # an earlier one is read-only
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    path.chmod(0o444)
    return path


def _project(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(f"{path.name} cannot be read") from error


def _version(root: Path, project: Mapping[str, Any]) -> str:
    try:
        file = str(project["tool"]["hatch"]["version"]["path"])
    except (KeyError, TypeError) as error:
        raise _wrong("pyproject.toml: [tool.hatch.version] path is missing") from error
    try:
        found = _VERSION.search((root / file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(f"{file} cannot be read") from error
    if found is None:
        raise _wrong(f'{file}: there is no line __version__ = "..."')
    return found[1]


def _settings(path: Path) -> dict[str, Any]:
    try:
        return read_settings(path)
    except ConfigurationError as error:
        raise _wrong(str(error)) from error


def _pinned(project: Mapping[str, Any], package: str) -> str:
    extras = (project.get("project") or {}).get("optional-dependencies") or {}
    for line in extras.get(SDK_EXTRA, ()):
        name, _, version = str(line).partition("==")
        if name.strip() == package and version:
            return version.strip()
    raise _wrong(f"pyproject.toml: the extra {SDK_EXTRA} does not pin {package}")


def _resources(found: object) -> dict[str, int | str]:
    if not isinstance(found, dict):
        raise _wrong("app.yaml: resources are missing")
    for name in _COUNTS:
        if type(found.get(name)) is not int or found[name] < 0:
            raise _wrong(f"app.yaml: resources.{name} must be an integer of at least 0")
    for name in _SIZES:
        if not isinstance(found.get(name), str) or not _SIZE.fullmatch(found[name]):
            raise _wrong(f"app.yaml: resources.{name} must be a size such as 1.5Gi or 64Mi")
    return {name: found[name] for name in (*_COUNTS, *_SIZES)}


def _formats(application: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = application.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(f, str) for f in found):
        raise _wrong(f"app.yaml: application.{key} must be a list of formats")
    return tuple(found)


def _timeout(seconds: object) -> int:
    if seconds is None:
        return 0
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 1:
        raise _wrong("app.yaml: run_seconds must be a whole number of seconds, or null")
    return seconds


def _wrong(message: str) -> ConfigurationError:
    return ConfigurationError("MANIFEST", message)
