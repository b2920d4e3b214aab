"""The requirements on app.json and pkg.json."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from deploy.map_package.manifests import ENVIRONMENT
from deploy.map_package.rules import (
    APP,
    PKG,
    SIZE,
    Complaints,
    PackageRule,
    is_semver,
    manifest,
    unless,
    value,
)
from deploy.map_package.targets import Target

Test = Callable[[Any], bool]


def _field(path: str, key: str, holds: Test, wanted: str) -> Callable[[Target], Complaints]:
    """A check of one field that must be there."""

    def check(target: Target) -> Complaints:
        found = value(manifest(target, path), key)
        return unless(holds(found), f"{key} is {found!r}, not {wanted}")

    return check


def _optional(path: str, key: str, holds: Test, wanted: str) -> Callable[[Target], Complaints]:
    """A check of one field that may be absent."""
    return _field(path, key, lambda found: found is None or holds(found), wanted)


def _variable(*names: str) -> Callable[[Target], Complaints]:
    def check(target: Target) -> Complaints:
        given = value(manifest(target, APP), "environment") or {}
        missing = [name for name in names if name not in given]
        return [f"environment lacks {name}" for name in missing]

    return check


def _is_text(found: object) -> bool:
    return isinstance(found, str) and bool(found)


def _is_texts(found: object) -> bool:
    return isinstance(found, list) and bool(found) and all(map(_is_text, found))


def _is_strings(found: object) -> bool:
    return isinstance(found, dict) and all(isinstance(v, str) for v in found.values())


def _is_count(found: object) -> bool:
    return type(found) is int and found >= 0


def _is_number(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool) and found >= 0


def _is_absolute(found: object) -> bool:
    return isinstance(found, str) and found.startswith("/")


def _is_size(found: object) -> bool:
    return isinstance(found, str) and bool(SIZE.fullmatch(found))


def _output_format(target: Target) -> Complaints:
    output = value(manifest(target, APP), "output")
    if not isinstance(output, dict):
        return ("there is no output",)
    said = []
    if "format" not in output:
        said.append("output.format is missing (the text asks for it)")
    if not _is_texts(output.get("formats")):
        said.append("output.formats is missing (holoscan-cli writes and reads it)")
    return said


def _probes(target: Target) -> Complaints:
    app = manifest(target, APP)
    kinds = ("tcp", "grpc", "http-get", "command")
    probes = {name: app.get(name) for name in ("readiness", "liveness")}
    return [
        f"{name}.type is none of {', '.join(kinds)}"
        for name, probe in probes.items()
        if probe is not None and (not isinstance(probe, dict) or probe.get("type") not in kinds)
    ]


def _models(target: Target) -> Complaints:
    package = manifest(target, PKG)
    models = package.get("models")
    if not isinstance(models, list):
        return ("models is no list",)
    root = str(package.get("modelRoot") or "/opt/holoscan/models/")
    said = []
    for model in models:
        name = model.get("name") if isinstance(model, dict) else None
        if not _is_model_name(name):
            said.append(f"model name {name!r} is not allowed")
            continue
        path = str(model.get("path") or name)
        full = path if path.startswith("/") else f"{root.rstrip('/')}/{path}"
        if target.find(full) is None:
            said.append(f"model {name}: {full} does not exist")
    return said


def _is_model_name(name: object) -> bool:
    if not isinstance(name, str) or not 0 < len(name.encode()) <= 128:
        return False
    return not any(c.isspace() or unicodedata.category(c) == "Cc" for c in name)


def _limits(target: Target) -> Complaints:
    resources = value(manifest(target, PKG), "resources") or {}
    numbers = {"cpu", "gpu"}
    said = []
    for key, found in resources.items() if isinstance(resources, dict) else ():
        if not key.endswith("Limit"):
            continue
        fits = _is_number(found) if key.removesuffix("Limit") in numbers else _is_size(found)
        if not fits:
            said.append(f"resources.{key} is {found!r}")
    return said


def _same_version(target: Target) -> Complaints:
    version = manifest(target, PKG).get("version")
    if not is_semver(version):
        return (f"version is {version!r}, not MAJOR.MINOR.PATCH",)
    other = manifest(target, APP).get("version")
    return unless(version == other, f"version is {version}, app.json says {other!r}")


def _text_format(target: Target) -> Complaints:
    text = target.text(PKG)
    if text is None:
        return ("pkg.json is absent or not UTF-8",)
    alone = text.replace("\r\n", "").count("\r")
    return unless(not alone, "lines end in CR alone")


_E_TEXTS = {
    "E1": "HOLOSCAN_INPUT_PATH",
    "E2": "HOLOSCAN_OUTPUT_PATH",
    "E3": "HOLOSCAN_WORKDIR",
    "E4": "HOLOSCAN_MODEL_PATH",
    "E5": "HOLOSCAN_CONFIG_PATH",
    "E6": "HOLOSCAN_APP_MANIFEST_PATH",
    "E7": "HOLOSCAN_PKG_MANIFEST_PATH",
    "E8": "HOLOSCAN_DOCS",
    "E9": "HOLOSCAN_LOGS",
}
_TWO_NAMES = {"HOLOSCAN_DOCS": "HOLOSCAN_DOCS_PATH", "HOLOSCAN_LOGS": "HOLOSCAN_LOGS_PATH"}
_NAMES = {
    id_: (name, _TWO_NAMES[name]) if name in _TWO_NAMES else (name,)
    for id_, name in _E_TEXTS.items()
}
_E_RULES = tuple(
    PackageRule(
        id_,
        "must",
        f"app.json lists {' and '.join(names)} ({ENVIRONMENT[names[0]]})",
        _variable(*names),
    )
    for id_, names in _NAMES.items()
)

MANIFEST_RULES: tuple[PackageRule, ...] = (
    *_E_RULES,
    PackageRule(
        "A1",
        "should",
        "apiVersion is a semantic version",
        _field(APP, "apiVersion", is_semver, "a semantic version"),
    ),
    PackageRule(
        "A2",
        "must",
        "type is service or application",
        _field(
            APP,
            "type",
            lambda found: found in ("service", "application"),
            "service or application",
        ),
    ),
    PackageRule(
        "A3",
        "must",
        "command is a shell command",
        _field(
            APP, "command", lambda v: _is_text(v) and not v.lstrip().startswith("["), "a command"
        ),
    ),
    PackageRule(
        "A4",
        "must",
        "environment holds strings by name",
        _field(APP, "environment", _is_strings, "strings by name"),
    ),
    PackageRule(
        "A5",
        "must",
        "input.formats is a list",
        _field(APP, "input.formats", _is_texts, "a list of formats"),
    ),
    PackageRule(
        "A6",
        "should",
        "input.path is written",
        _field(APP, "input.path", _is_text, "a path"),
    ),
    PackageRule("A7", "must", "output has format and formats", _output_format),
    PackageRule(
        "A8",
        "must",
        "output.path is written (without it holoscan-cli takes the input folder)",
        _field(APP, "output.path", _is_text, "a path"),
    ),
    PackageRule(
        "A9",
        "should",
        "sdk and sdkVersion are written",
        _field(APP, "sdkVersion", is_semver, "a semantic version"),
    ),
    PackageRule(
        "A10",
        "should",
        "timeout is whole seconds",
        _field(APP, "timeout", _is_count, "a whole number of seconds"),
    ),
    PackageRule(
        "A11",
        "should",
        "version is a semantic version, as a string",
        _field(APP, "version", is_semver, "a semantic version"),
    ),
    PackageRule(
        "A12",
        "must",
        "workingDirectory is an absolute path (holoscan-cli fails without it)",
        _field(APP, "workingDirectory", _is_absolute, "an absolute path"),
    ),
    PackageRule("A13", "must", "readiness and liveness, if there, have a type", _probes),
    PackageRule(
        "P1",
        "should",
        "apiVersion is a semantic version",
        _field(PKG, "apiVersion", is_semver, "a semantic version"),
    ),
    PackageRule(
        "P2",
        "must",
        "applicationRoot is an absolute path",
        _field(PKG, "applicationRoot", _is_absolute, "an absolute path"),
    ),
    PackageRule(
        "P3",
        "should",
        "modelRoot is an absolute path",
        _field(PKG, "modelRoot", _is_absolute, "an absolute path"),
    ),
    PackageRule("P4", "should", "models are a list, and each is where it says", _models),
    PackageRule(
        "P5",
        "must",
        "resources.cpu is a number, resources.gpu an integer (holoscan-cli takes no other)",
        lambda target: [
            *(_field(PKG, "resources.cpu", _is_number, "a number")(target) or ()),
            *(_field(PKG, "resources.gpu", _is_count, "an integer")(target) or ()),
        ],
    ),
    PackageRule(
        "P6",
        "must",
        "memory, sharedMemory and gpuMemory are sizes in Mi or Gi",
        lambda target: [
            complaint
            for name in ("memory", "sharedMemory", "gpuMemory")
            for complaint in _field(PKG, f"resources.{name}", _is_size, "a size")(target) or ()
        ],
    ),
    PackageRule("P7", "must", "limits, if there, are numbers and sizes", _limits),
    PackageRule(
        "P8",
        "must",
        "fragments, if there, are an object",
        _optional(PKG, "resources.fragments", lambda v: isinstance(v, dict), "an object"),
    ),
    PackageRule("P9", "should", "version is app.json's", _same_version),
    PackageRule("P10", "must", "pkg.json is UTF-8 with CRLF or LF", _text_format),
)
