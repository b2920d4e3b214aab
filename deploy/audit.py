"""Asks a package index for known vulnerabilities of the pinned packages: `make audit`.

    python deploy/audit.py [--index URL] PINS...      files of NAME==VERSION lines

An index (PyPI, or a mirror of its JSON interface) knows them for each version; a mirror may have
the newest version's page alone. Says what is vulnerable and what could not be asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

_SECONDS = 60
_AT_ONCE = 8


@dataclass(frozen=True)
class Answer:
    """What an index says of one pinned version. why: empty unless it gave no answer."""

    name: str
    version: str
    vulnerabilities: tuple[str, ...] = ()
    why: str = ""


def pins(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """Names and versions, in their order; comments are skipped."""
    lines = [line.strip() for path in paths for line in path.read_text("utf-8").splitlines()]
    pairs = (line.partition("==") for line in lines if "==" in line and not line.startswith("#"))
    return [(name, version) for name, _, version in pairs]


def ask(index: str, name: str, version: str) -> Answer:
    """What an index says of one version. Raises URLError if the index cannot be reached."""
    try:
        page = _page(f"{index}/{name}/{version}/json") or _page(f"{index}/{name}/json")
    except ValueError:
        return Answer(name, version, why="the index's answer is no JSON")
    if page is None:
        return Answer(name, version, why="the index does not know it")
    newest = page["info"]["version"]
    if newest != version:
        return Answer(name, version, why=f"the index has only the page of {newest}")
    standing = (entry for entry in page["vulnerabilities"] if not entry.get("withdrawn"))
    return Answer(name, version, tuple(map(_told, standing)))


def report(answers: Sequence[Answer]) -> str:
    """What was found, a line each, and the count."""
    lines = [
        f"VULNERABLE  {answer.name} {answer.version}: {told}"
        for answer in answers
        for told in answer.vulnerabilities
    ]
    lines += [f"not audited {a.name} {a.version}: {a.why}" for a in answers if a.why]
    audited = sum(not answer.why for answer in answers)
    known = sum(bool(answer.vulnerabilities) for answer in answers)
    lines.append(f"{audited} of {len(answers)} audited, {known} with known vulnerabilities")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0; 1 where a version is vulnerable; 2 where the index cannot be reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("pins", type=Path, nargs="+", metavar="PINS")
    parser.add_argument("--index", default="https://pypi.org/pypi", metavar="URL")
    flags = parser.parse_args(argv)
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            asked = partial(ask, flags.index.rstrip("/"))
            answers = list(pool.map(lambda pin: asked(*pin), pins(flags.pins)))
    except (URLError, TimeoutError) as error:
        sys.stderr.write(f"audit: {flags.index} cannot be asked: {error}\n")
        return 2
    sys.stdout.write(report(answers))
    return 1 if any(answer.vulnerabilities for answer in answers) else 0


def _page(address: str) -> dict[str, Any] | None:
    """None where the index has no such page."""
    try:
        with urlopen(address, timeout=_SECONDS) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        if error.code == 404:
            return None
        raise


def _told(entry: dict[str, Any]) -> str:
    fixed = ", ".join(entry.get("fixed_in") or ())
    return f"{entry['id']} ({f'fixed in {fixed}' if fixed else 'no fix known'})"


if __name__ == "__main__":
    sys.exit(main())
