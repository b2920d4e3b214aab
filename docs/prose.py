"""Finds phrases that read badly, lines that are too long, and interrupted numbered lists.

`python docs/prose.py` checks every tracked text; `python docs/prose.py FILE ...` some of them.
The phrases are in docs/prose.yaml. Exit status: 0 nothing found, 1 something found.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

PHRASES = Path(__file__).with_suffix(".yaml")
SUFFIXES = (".md", ".py", ".html", ".yaml", ".yml", ".toml", ".js", ".css", ".service", "")
GENERATED = (
    "docs/results/",
    "docs/models/",
    "docs/reference/rtstruct-findings.md",
    "samples/",
    "requirements/",
)
OTHERS_WORDS = ("LICENSE", "NOTICE", "docs/prose.yaml")
LONGEST = 100
UNBREAKABLE = re.compile(r"^\s*(\||!?\[|#|https?:|<)|```|\]\([^)]*\)|https?://\S+")
"""Lines that may be longer: tables, headings, links and markup."""
STEP = re.compile(r"(?P<number>\d+)\. \S")
INDENTED = re.compile(r" {1,3}\S")
BREAK = r"[\s#]+"
"""Between two words of a phrase: also a line's end and the next line's comment sign."""


def main(names: list[str]) -> int:
    """Print every finding as file:line: text."""
    patterns = compiled(yaml.safe_load(PHRASES.read_text(encoding="utf-8"))["phrases"])
    findings = [line for path in paths(names) for line in found(path, patterns)]
    sys.stdout.write("".join(f"{finding}\n" for finding in findings) or "no finding\n")
    return 1 if findings else 0


def paths(names: list[str]) -> list[Path]:
    """The named files, or every tracked text."""
    if names:
        return [Path(name) for name in names]
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], capture_output=True, text=True, check=True
    ).stdout.split("\0")
    texts = (Path(name) for name in tracked if name and not name.startswith(OTHERS_WORDS))
    return [path for path in texts if path.suffix in SUFFIXES and path.is_file()]


def compiled(phrases: Mapping[str, str]) -> dict[re.Pattern[str], str]:
    """Each phrase as a pattern that a line break or a comment sign may interrupt."""
    return {
        re.compile(r"\b" + phrase.replace(" ", BREAK) + r"\b", re.IGNORECASE): advice
        for phrase, advice in phrases.items()
    }


def found(path: Path, patterns: Mapping[re.Pattern[str], str]) -> Iterator[str]:
    """The findings of one file."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    for pattern, advice in patterns.items():
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            words = " ".join(match.group().split())
            yield f'{path}:{line}: "{words}": {advice}'
    if path.suffix == ".md" and not str(path).startswith(GENERATED):
        yield from too_long(path, text)
        yield from interrupted(path, text)


def too_long(path: Path, text: str) -> Iterator[str]:
    """Lines of more than 100 characters outside code and tables."""
    code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            code = not code
        elif not code and len(line) > LONGEST and not UNBREAKABLE.search(line):
            yield f"{path}:{number}: {len(line)} characters: wrap at {LONGEST}"


def interrupted(path: Path, text: str) -> Iterator[str]:
    """Steps of numbered lists that a page shows as running text or counts anew.

    What stands between two steps must be indented by four spaces: the site's Markdown needs that.
    """
    listed = False
    before = ""
    for number, line in enumerate(text.splitlines(), 1):
        step = STEP.match(line)
        if step and not listed and (before or step["number"] != "1"):
            yield f"{path}:{number}: step {step['number']}: indent what stands before it"
        if listed and INDENTED.match(line):
            yield f"{path}:{number}: indent by four spaces in a numbered list"
        if line and not line.startswith(" "):
            listed = bool(step)
        before = line


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
