"""Passwords: stored with Argon2id, and checked in the same time for unknown users."""

from __future__ import annotations

import functools
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH = 12
MAX_LENGTH = 256
"""The longest password; longer ones only cost time."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
"""OWASP's parameters for Argon2id."""

_AT_ONCE = threading.BoundedSemaphore(2)
"""Limits parallel sign-ins, so that they do not take memory and processors from contouring."""


class PasswordRejected(ValueError):
    """A password is not accepted. The message is the reason."""


def hash_password(password: str) -> str:
    """The hash with salt and parameters. Raises PasswordRejected."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise PasswordRejected(f"a password needs {MIN_LENGTH} to {MAX_LENGTH} characters")
    with _AT_ONCE:
        return _HASHER.hash(password)


def verify_password(password: str, password_hash: str | None) -> bool:
    """Whether the password matches. password_hash: None for an unknown user."""
    with _AT_ONCE:
        try:
            _HASHER.verify(password_hash or _nobody(), password[:MAX_LENGTH])
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


@functools.cache
def _nobody() -> str:
    return _HASHER.hash("there is no such user")
