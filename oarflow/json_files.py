"""JSON from outside the program: duplicate keys are refused, every defect raises JsonError."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

MAX_BYTES = 64 * 2**20
"""Greatest size of a file."""


class JsonError(ValueError):
    """The text cannot be used. The message says what is wrong."""


def read_json(path: Path) -> Any:
    """The values of a file. Raises OSError, JsonError."""
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise JsonError(f"larger than {MAX_BYTES // 2**20} MiB")
    return parse_json(content)


def parse_json(text: str | bytes) -> Any:
    """The values of a JSON document, UTF-8. Raises JsonError."""
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8")
        return json.loads(decoded, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise JsonError(f"line {error.lineno}: {error.msg}") from None
    except UnicodeDecodeError:
        raise JsonError("not encoded as UTF-8") from None
    except RecursionError:
        raise JsonError("nested too deep") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that occurs twice in its object."""
    counts = Counter(name for name, _ in pairs)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise JsonError(f"the key {twice[0]!r:.60} occurs twice")
    return dict(pairs)
