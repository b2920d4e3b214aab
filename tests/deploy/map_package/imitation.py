"""The image without an engine: its files over this system's, in a mount namespace of their own.

/etc, /opt and /var are read-only; the user has no name; only the folders that a host mounts and
/tmp can be written. The interpreter is this one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.app.workbench import REPOSITORY

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"),
    reason="needs root, unshare and setpriv",
)
NOT_ALLOWED = 99

_SCRIPT = r"""
root=$1 extra=$2; shift 2
ready() {
    mount --make-rprivate / && mount -t tmpfs none /mnt && mkdir /mnt/up /mnt/work || return 1
    i=0
    for pair in $BINDS; do
        i=$((i + 1)) && mkdir "/mnt/$i" || return 1
        mount --bind "$(decode "${pair%%=*}")" "/mnt/$i" || return 1
    done
    for d in etc opt var; do
        mkdir -p "$extra/$d" &&
            mount -t overlay overlay -o "lowerdir=$extra/$d:$root/$d:/$d" "/$d" || return 1
    done
    mount -t overlay overlay -o lowerdir=/tmp,upperdir=/mnt/up,workdir=/mnt/work /tmp || return 1
    chmod 1777 /tmp
    i=0
    for pair in $BINDS; do
        i=$((i + 1)) && target=$(decode "${pair#*=}")
        case $target in /tmp/*) mkdir -p "$target" ;; esac
        mount --bind "/mnt/$i" "$target" || return 1
    done
}
decode() { printf '%s' "$1" | sed 's/%20/ /g'; }
ready 2>/dev/null || exit 99
cd "$CWD" || exit 99
unset BINDS
exec setpriv --reuid="$ID" --regid="$GROUP" --clear-groups --bounding-set=-all,+dac_read_search \
    --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search \
    env -i "$@"
"""


@dataclass(frozen=True)
class Container:
    """How a host starts the image.

    command: words; empty for the image's own entrypoint. mounts: host folder by path inside.
    environment: over the image's. user: "uid:gid".
    """

    command: Sequence[str] = ()
    mounts: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = "123456:654321"
    workdir: str = "/var/holoscan"


ENTRYPOINT = ("/opt/holoscan/app/entrypoint",)


def image_environment() -> dict[str, str]:
    """The Dockerfile's ENV, with this interpreter's folder for /opt/venv/bin."""
    text = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    block = re.search(r"^ENV ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert block
    pairs = dict(word.split("=", 1) for word in block[1].replace("\\\n", " ").split())
    interpreter = str(Path(sys.executable).parent)
    return {**pairs, "PATH": pairs["PATH"].replace("/opt/venv/bin", interpreter)}


def run(
    root: Path, scratch: Path, container: Container, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Start the image. Skips the test where this machine does not allow such mounts."""
    extra = scratch / "mountpoints"
    for target in container.mounts:
        (extra / target.lstrip("/")).mkdir(parents=True, exist_ok=True)
    binds = " ".join(
        f"{source}={target}".replace(" ", "%20") for target, source in container.mounts.items()
    )
    user, group = container.user.split(":")
    environment = {**image_environment(), "OMP_NUM_THREADS": "1", **container.environment}
    words = [f"{name}={value}" for name, value in environment.items()]
    command = [*(container.command or ENTRYPOINT), *arguments]
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", _SCRIPT, "sh", str(root), str(extra), *words, *command],
        env={**os.environ, "BINDS": binds, "ID": user, "GROUP": group, "CWD": container.workdir},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if ran.returncode == NOT_ALLOWED:
        pytest.skip("mount namespaces with overlays are not allowed here")
    return ran


def open_folder(path: Path) -> Path:
    """A new folder that any user may write."""
    path.mkdir()
    path.chmod(0o777)
    return path
