"""Passwords: kept as argon2id, checked in the same time whether or not the user exists."""

from __future__ import annotations

import functools
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH = 12
MAX_LENGTH = 256
"""Longer ones only cost time."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
"""OWASP's parameters for argon2id."""

_AT_ONCE = threading.BoundedSemaphore(2)
"""A flood of sign-ins must take neither all memory nor all processors from the contouring."""


class PasswordRejected(ValueError):
    """A password that is not accepted. The message says why."""


def hash_password(password: str) -> str:
    """The hash with its salt and parameters. Raises Unfit."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise PasswordRejected(f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters")
    with _AT_ONCE:
        return _HASHER.hash(password)


def verify_password(password: str, password_hash: str | None) -> bool:
    """Whether it is the password. password_hash: None where there is no such user."""
    with _AT_ONCE:
        try:
            _HASHER.verify(password_hash or _nobody(), password[:MAX_LENGTH])
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


@functools.cache
def _nobody() -> str:
    return _HASHER.hash("there is no such user")
