"""Settings as they may be shown: passwords and the like are left out of what is printed."""

from __future__ import annotations

import re
from typing import Any

MASK = "***"

_USERINFO = re.compile(r"(?<=://)[^\s]*@")
"""To the last @: a password may hold one itself, and a slash too."""

_NAMES = r"(?:password|passwd|passphrase|pwd|secret|token|credentials?|api[_-]?key|sig|signature)"
_ASSIGNED = re.compile(rf"([\w.-]*{_NAMES}=)[^&;\s]+", re.IGNORECASE)
_SECRET_NAME = re.compile(rf"{_NAMES}$", re.IGNORECASE)

_FILES = frozenset({"password", "token"})
"""Keys of the settings that name a file with a secret; the file's name is none."""


def masked(value: Any, key: str = "") -> Any:
    """The value without secrets, tables and lists all the way down.

    Left out are who signs in within a URL, and what a name such as `password=` is given, in a URL,
    a command or a program's environment.
    """
    if isinstance(value, dict):
        return {name: masked(one, str(name)) for name, one in value.items()}
    if isinstance(value, list):
        return [masked(one) for one in value]
    if not isinstance(value, str):
        return value
    if _SECRET_NAME.search(key) and key not in _FILES:
        return MASK
    return _ASSIGNED.sub(rf"\g<1>{MASK}", _USERINFO.sub(f"{MASK}@", value))
