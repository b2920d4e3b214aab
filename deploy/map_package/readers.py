"""What each host will do with a package, as its source code has it.

holoscan run: holoscan-cli 4.2.0, the last with a runner for packages. mercure: 0.4.1, its docker
runner. Workflow Manager: MONAI Deploy's Task Manager with the Docker plug-in (March 2025).
"""

from __future__ import annotations

import json
import posixpath
import shlex
from dataclasses import dataclass
from typing import Any

from deploy.map_package.rules import APP, MONAI_APP, PKG, manifest, value
from deploy.map_package.targets import Target


@dataclass(frozen=True)
class HostVerdict:
    """A host. works: whether it can run the package. does: what happens, in order."""

    reader: str
    works: bool
    does: tuple[str, ...]


def readers(target: Target) -> tuple[HostVerdict, ...]:
    """All hosts that are known here."""
    return (_holoscan(target), _mercure(target), _workflow_manager(target))


def _holoscan(target: Target) -> HostVerdict:
    app, package = manifest(target, APP), manifest(target, PKG)
    if not app or not package:
        return HostVerdict("holoscan run", False, ("cannot read the manifests: exit status 2",))
    fails = [
        f"KeyError for {key}: exit status 2"
        for key in ("input", "output", "environment", "workingDirectory")
        if key not in app
    ]
    resources = package.get("resources", {})
    if not isinstance(resources, dict):
        fails.append("resources are no object: exit status 2")
    elif type(resources.get("gpu", 0)) is not int:
        fails.append(f"resources.gpu is {resources['gpu']!r}, no integer: exit status 2")
    if isinstance(app.get("output"), dict) and "path" not in app["output"]:
        fails.append("output.path is missing: it mounts the output over the input")
    if fails:
        return HostVerdict("holoscan run", False, tuple(fails))
    workdir = str(app["workingDirectory"])
    does = [
        f"mounts the input to {_below(workdir, app['input'])} and the output to "
        f"{_below(workdir, app['output'])}, both writable",
        f"starts the image's entrypoint without arguments, in {workdir}, as the caller's user",
        "passes the manifest's environment; ends with 2 if the status is not 0",
    ]
    gpus = resources.get("gpu", 0)
    does.append(f"needs {gpus} GPU(s)" if gpus else "shows all GPUs; needs the nvidia runtime")
    if app.get("sdk") == "holoscan":
        does.append("appends --config PATH to the arguments, because sdk is holoscan")
    return HostVerdict("holoscan run", True, tuple(does))


def _below(workdir: str, part: Any) -> str:
    path = part.get("path", "input") if isinstance(part, dict) else "input"
    return posixpath.join(workdir, str(path))


def _mercure(target: Target) -> HostVerdict:
    text = target.text(MONAI_APP)
    if text is None:
        return HostVerdict(
            "mercure",
            True,
            (
                "finds no /etc/monai/app.json: runs the image's entrypoint as an ordinary module",
                "as mercure's own user, without network and capabilities, folders below /tmp",
            ),
        )
    try:
        command = value(json.loads(text), "command")
    except ValueError:
        command = None
    if not command:
        return HostVerdict("mercure", False, ("/etc/monai/app.json has no command: the job fails",))
    words = shlex.split(command) if isinstance(command, str) else [str(w) for w in command]
    does = (
        "finds /etc/monai/app.json: demands root, and refuses where support_root_modules is off",
        f"resets the entrypoint and runs {words} without a shell, as the image's user",
    )
    broken = words[0].startswith("[")
    return HostVerdict("mercure", not broken, does)


def _workflow_manager(target: Target) -> HostVerdict:
    needs = {
        "/bin/bash": "the usual entrypoint",
        "/opt/holoscan/app/__main__.py": "the usual command, python3 -u /opt/holoscan/app/",
    }
    visible = target.kind != "source tree"
    missing = [
        f"{path} does not exist ({why})"
        for path, why in needs.items()
        if target.find(path) is None and (visible or path != "/bin/bash")
    ]
    if missing:
        return HostVerdict("Workflow Manager", False, tuple(missing))
    return HostVerdict(
        "Workflow Manager",
        True,
        (
            "reads no manifest: image, entrypoint, command and variables are the workflow's",
            "looks at no exit status (Docker plug-in): whatever lies in the output is exported",
            "stops after task_timeout_minutes, 5 if the workflow does not say",
            "runs as the image's user, who must be able to write the output folder, or as `user`",
        ),
    )
