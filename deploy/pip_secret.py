"""pip's configuration of this machine as one file, for a build that gets it as a secret.

Reads `pip config list`, writes the file named first, and prints the local folders it points to,
which the build needs as mounts.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from pathlib import Path

_SOURCES = ("index-url", "extra-index-url", "find-links")
_LISTS = ("extra-index-url", "find-links")
_KEPT = (*_SOURCES, "trusted-host", "no-index", "timeout", "default-timeout")
_CERTIFICATES = "/run/secrets/ca"


def configuration(lines: Iterable[str]) -> dict[str, str]:
    """What a build needs of `pip config list`, variables over files; lists are joined."""
    found: dict[str, str] = {}
    for line in lines:
        match = re.fullmatch(r"([^=]+)\.([a-z-]+)=('.*')", line.strip())
        if not match:
            continue
        key, value = match[2], str(ast.literal_eval(match[3]))
        if key in _LISTS and key in found:
            parts = dict.fromkeys([*found[key].split(), *value.split()])
            found[key] = " ".join(parts)
        elif key in _KEPT and not (key in found and match[1].startswith("global")):
            found[key] = value
        elif key == "cert":
            found[key] = _CERTIFICATES
    return found


def folders(found: dict[str, str]) -> list[str]:
    """Folders of this machine that the configuration points to.

    An index may refer to files beside it (../../files): its parent is named.
    """
    places = [(key, part) for key in _SOURCES for part in found.get(key, "").split()]
    local = [(key, Path(part.removeprefix("file://"))) for key, part in places]
    named = [
        str(path if key == "find-links" else path.parent)
        for key, path in local
        if path.is_absolute() and path.is_dir()
    ]
    return list(dict.fromkeys(named))


def main() -> int:
    """Returns 0."""
    found = configuration(sys.stdin)
    body = "".join(
        f"{key} =\n" + "".join(f"    {part}\n" for part in value.split())
        if key in _LISTS
        else f"{key} = {value}\n"
        for key, value in found.items()
    )
    target = Path(sys.argv[1])
    target.touch(mode=0o600)
    target.write_text("[global]\n" + body, encoding="utf-8")
    sys.stdout.write("".join(f"{folder}\n" for folder in folders(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
