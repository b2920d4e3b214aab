"""Masks secrets in settings that are printed."""

from __future__ import annotations

import re
from typing import Any

MASK = "***"

_USERINFO = re.compile(r"(?<=://)[^\s]*@")
"""User and password in a URL, up to the last @: a password may contain an @ or a slash."""

_NAMES = r"(?:password|passwd|passphrase|pwd|secret|token|credentials?|api[_-]?key|sig|signature)"
_ASSIGNED = re.compile(rf"([\w.-]*{_NAMES}=)[^&;\s]+", re.IGNORECASE)
_SECRET_NAME = re.compile(rf"{_NAMES}$", re.IGNORECASE)

_FILES = frozenset({"password", "token"})
"""Keys whose value is the name of a file with a secret; the name itself is shown."""


def masked(value: Any, key: str = "") -> Any:
    """The value with its secrets masked, also within nested tables and lists.

    Masked are user and password in a URL, and values after names such as `password=` in a URL, a
    command or an environment.
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
