"""The requirements on the image: its labels, folders, entrypoint, and what running it shows."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence

from deploy.map_package.rules import (
    APP,
    MONAI_APP,
    PKG,
    Complaints,
    PackageRule,
    is_semver,
    manifest,
    unless,
    value,
)
from deploy.map_package.targets import Target

TITLE = "org.opencontainers.image.title"
VERSION = "org.opencontainers.image.version"
PREDEFINED = tuple(
    f"org.opencontainers.image.{name}"
    for name in ("description", "licenses", "source", "revision", "created", "vendor", "base.name")
)
_DEVELOPMENT = ("datasets", "evaluation", "importing", "training")
NEVER_SHIPPED = ("tests", *_DEVELOPMENT, *(f"oarflow/{name}" for name in (*_DEVELOPMENT, "node")))
BAKED = ("HOLOSCAN_INPUT_PATH", "HOLOSCAN_OUTPUT_PATH")
_SHELLS = ("bash", "sh", "cat")
_HOME_SECRETS = (".netrc", ".pip/pip.conf", ".config/pip/pip.conf")
_SECRETS = ("/etc/pip.conf", *("/".join(("", "root", name)) for name in _HOME_SECRETS))
_BINARIES = ("/bin", "/usr/bin", "/usr/local/bin")


def _one_package(target: Target) -> Complaints:
    return unless(target.find("/opt/holoscan/app/__main__.py") is not None, "there is no app")


def _readable(target: Target) -> Complaints:
    said = []
    for path in (APP, PKG):
        text = target.text(path)
        try:
            document = json.loads(text or "")
        except ValueError:
            said.append(f"{path} is no JSON")
            continue
        if not isinstance(document, dict):
            said.append(f"{path} is no JSON object")
        elif text is not None and text.count("\n") < len(document):
            said.append(f"{path} is not indented")
    return said


def _immutable(target: Target) -> Complaints:
    said = []
    for path in (APP, PKG):
        entry = target.find(path)
        if entry is None:
            continue
        if entry.permissions & 0o222:
            said.append(f"{path} may be written (mode {entry.permissions:04o})")
        if entry.uid != 0:
            said.append(f"{path} belongs to user {entry.uid}, not to root")
    return said


def _resources(target: Target) -> Complaints:
    resources = value(manifest(target, PKG), "resources")
    if not isinstance(resources, dict):
        return ("resources are missing",)
    wanted = ("cpu", "gpu", "memory", "sharedMemory", "gpuMemory")
    return [f"resources lack {name}" for name in wanted if name not in resources]


def _starts(target: Target) -> Complaints:
    if target.config is None:
        return None
    started = _words(target)
    if not started:
        return ("the image has neither Entrypoint nor Cmd",)
    entry = target.find(started[0])
    if started[0].startswith("/") and (entry is None or not entry.permissions & stat.S_IXOTH):
        return (f"{started[0]} cannot be executed by everybody",)
    return ()


def _words(target: Target) -> list[str]:
    config = target.config or {}
    words: list[str] = []
    for key in ("Entrypoint", "Cmd"):
        found = config.get(key) or []
        words.extend([found] if isinstance(found, str) else map(str, found))
    return words


def _title(target: Target) -> Complaints:
    return None if target.config is None else unless(bool(target.labels.get(TITLE)), f"no {TITLE}")


def _version(target: Target) -> Complaints:
    if target.config is None:
        return None
    found = target.labels.get(VERSION)
    if not is_semver(found):
        return (f"{VERSION} is {found!r}",)
    own = manifest(target, APP).get("version")
    return unless(found == own, f"{VERSION} is {found}, app.json says {own!r}")


def _predefined(target: Target) -> Complaints:
    if target.config is None:
        return None
    return [f"no {name}" for name in PREDEFINED if not target.labels.get(name)]


def _no_root(target: Target) -> Complaints:
    if target.config is None:
        return None
    user = str(target.config.get("User") or "root").split(":")[0]
    return unless(user not in ("root", "0"), "the image runs as root")


def _app_code(target: Target) -> Complaints:
    return unless(
        target.find("/opt/holoscan/app/__main__.py") is not None
        or target.find("/opt/holoscan/app/app.py") is not None,
        "/opt/holoscan/app/ holds nothing that runs",
    )


def _model_folders(target: Target) -> Complaints:
    folder = "opt/holoscan/models/"
    stray = [
        name
        for name in target.below(folder)
        if name.count("/") == folder.count("/") and name.endswith((".ts", ".pt", ".onnx"))
    ]
    if not any(name.count("/") == folder.count("/") for name in target.below(folder)):
        return ("/opt/holoscan/models/ is empty: models must be mounted",)
    return [f"/{name} lies in no folder of its own" for name in stray]


def _manifests(target: Target) -> Complaints:
    return [f"/{path} does not exist" for path in (APP, PKG) if target.find(path) is None]


def _docs(target: Target) -> Complaints:
    if target.kind == "source tree":
        return None
    return unless(bool(target.below("/opt/holoscan/docs")), "/opt/holoscan/docs/ is empty")


def _folders(target: Target) -> Complaints:
    wanted = ("/var/holoscan", "/var/holoscan/input", "/var/holoscan/output")
    return [f"{path}/ does not exist" for path in wanted if not _is_folder(target, path)]


def _is_folder(target: Target, path: str) -> bool:
    entry = target.find(path)
    return entry is not None and entry.is_folder


def _not_baked(target: Target) -> Complaints:
    if target.config is None:
        return None
    return [
        f"ENV {name} overrules what a host says by MONAI_INPUTPATH or MERCURE_IN_DIR"
        for name in BAKED
        if name in target.environment
    ]


def _user_variable(target: Target) -> Complaints:
    if target.config is None:
        return None
    return [
        f"ENV lacks {name}: libraries fail for a user without passwd entry"
        for name in ("USER", "HOME")
        if not target.environment.get(name)
    ]


def _tools(target: Target) -> Complaints:
    if target.kind == "source tree":
        return None
    return [
        f"no {name}: hosts call it"
        for name in _SHELLS
        if not any(target.find(f"{folder}/{name}") for folder in _BINARIES)
    ]


def _nothing_more(target: Target) -> Complaints:
    return [
        f"/opt/holoscan/app/{name} is not needed for serving"
        for name in NEVER_SHIPPED
        if target.below(f"/opt/holoscan/app/{name}")
    ]


def _not_writable(target: Target) -> Complaints:
    if target.kind == "source tree":
        return None
    open_to_all = [
        f"/{name} may be written by everybody"
        for folder in ("/opt/holoscan", "/etc/holoscan", "/opt/venv")
        for name in target.below(folder)
        if target.entries[name].link is None and target.entries[name].permissions & 0o002
    ]
    return _few(open_to_all)


def _no_secrets(target: Target) -> Complaints:
    if target.kind == "source tree":
        return None
    said = [f"{path} is in the image" for path in _SECRETS if target.find(path) is not None]
    said += [f"/{name} is in the image" for name in target.below("/run/secrets")]
    said += [
        f"ENV {name} is configuration of the machine that built the image"
        for name in target.environment
        if name.startswith("PIP_") or name.lower().endswith("_proxy")
    ]
    return said


def _few(complaints: Sequence[str], most: int = 5) -> Sequence[str]:
    more = len(complaints) - most
    return complaints if more <= 0 else [*complaints[:most], f"and {more} more"]


_MAP_TEST = "make map-test runs it"

IMAGE_RULES: tuple[PackageRule, ...] = (
    PackageRule("R1", "must", "one image holds the whole package", _one_package),
    PackageRule("R2", "must", "prints its manifests", None, f"`show`; {_MAP_TEST}"),
    PackageRule("R3", "must", "copies its manifests to a folder", None, f"`extract`; {_MAP_TEST}"),
    PackageRule("R4", "must", "the manifests are indented JSON", _readable),
    PackageRule("R5", "should", "the description is easy to write", None, "app.yaml is its source"),
    PackageRule("R6", "must", "the manifests are root's and cannot be written", _immutable),
    PackageRule("R7", "must", "states its resources", _resources),
    PackageRule("R8", "must", "starts the application when run with arguments", _starts),
    PackageRule(
        "R9",
        "must",
        "says whether it is an application or a service",
        lambda target: unless("type" in manifest(target, APP), "app.json has no type"),
    ),
    PackageRule(
        "R10",
        "must",
        "states its inputs",
        lambda target: unless(
            value(manifest(target, APP), "input.formats") is not None, "no input.formats"
        ),
    ),
    PackageRule(
        "R11",
        "must",
        "states its outputs",
        lambda target: unless(value(manifest(target, APP), "output") is not None, "no output"),
    ),
    PackageRule("R12", "must", "runs outside a container", None, "make segment"),
    PackageRule("R13", "must", "runs on Kubernetes: not as root, paths fixed", _no_root),
    PackageRule("R14", "must", "complies with OCI formats", None, "skopeo inspect; make map-test"),
    PackageRule("R15", "must", f"label {TITLE}", _title),
    PackageRule("R16", "must", f"label {VERSION}, equal to app.json's version", _version),
    PackageRule("R17", "should", "OCI's other labels", _predefined),
    PackageRule("H1", "must", "the host runs `command` and ends with it", None, "the host's duty"),
    PackageRule("H2", "must", "the host passes `environment`", None, "the host's duty"),
    PackageRule(
        "H3", "should", "the host records CPU, memory and GPU use", None, "the host's duty"
    ),
    PackageRule(
        "H4",
        "should",
        "the host enforces `timeout`",
        None,
        "the host's duty; OARflow stops itself after run_seconds",
    ),
    PackageRule("F1", "must", "all application code under /opt/holoscan/app/", _app_code),
    PackageRule("F2", "should", "each model in a folder of its own", _model_folders),
    PackageRule("F3", "must", "/etc/holoscan/app.json and pkg.json exist", _manifests),
    PackageRule("F4", "should", "/opt/holoscan/docs/ holds supplemental files", _docs),
    PackageRule("F5", "must", "/var/holoscan/ with input/ and output/ exists", _folders),
    PackageRule("B1", "must", "without arguments it runs the application", _starts),
    PackageRule("B2", "should", "`show` prints the manifests", None, _MAP_TEST),
    PackageRule("B3", "should", "`extract` copies to mounted folders", None, _MAP_TEST),
    PackageRule(
        "B4", "must", "`extract` copies all where only export/ is mounted", None, _MAP_TEST
    ),
    PackageRule("B5", "should", "`env` and `help`, as the stock tools have", None, _MAP_TEST),
    PackageRule(
        "B6", "must", "the exit status arrives outside, any user ID works", None, _MAP_TEST
    ),
    PackageRule("X1", "must", "ENV names no input or output folder", _not_baked),
    PackageRule("X2", "must", "ENV has USER and HOME", _user_variable),
    PackageRule("X3", "must", "bash, sh and cat are in the image", _tools),
    PackageRule("X4", "must", "nothing that serving does not need", _nothing_more),
    PackageRule("X5", "must", "nobody but root can write code, models or manifests", _not_writable),
    PackageRule("X6", "must", "nothing of the machine that built it", _no_secrets),
    PackageRule(
        "X7",
        "should",
        f"no /{MONAI_APP}: mercure would demand root",
        lambda target: unless(target.find(MONAI_APP) is None, f"/{MONAI_APP} exists"),
    ),
)
