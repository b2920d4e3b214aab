"""The programs as verbs: node, data, train, evaluate, commission."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oarflow.commands import main, parser
from oarflow.commands.data import POSITIONS
from oarflow.commands.menu import EXTRAS
from oarflow.commands.node import ROLES
from oarflow.commands.train import BACKBONES
from oarflow.datasets.as_dicom import PatientPosition
from oarflow.datasets.commands import COMMANDS as DATA
from oarflow.evaluation.commands import COMMANDS as EVALUATE
from oarflow.node.commands import COMMANDS as NODE
from oarflow.node.web.users import UserRole
from oarflow.training.commands import COMMANDS as TRAIN
from oarflow.training.papers.slice import plan

ROOT = Path(__file__).resolve().parents[3]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
VERBS = ("node", "data", "train", "evaluate", "commission")
HEAVY = ("torch", "numpy", "sqlalchemy", "pydicom", "pydantic", "yaml", "scipy", "matplotlib")
SCRIPTS = {
    "oarflow/evaluation/benchmarks/imported_run.py",
    "oarflow/evaluation/benchmarks/nnunet_run_peer.py",
    "oarflow/evaluation/benchmarks/rt_utils_peer.py",
}
"""Run by path or module: in another environment, or to measure memory."""


def subparsers(made: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in made._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def flags_of(made: argparse.ArgumentParser) -> set[str]:
    return {name for action in made._actions for name in action.option_strings}


@pytest.mark.parametrize("verb", VERBS)
def test_a_menu_is_built_without_what_the_work_needs(verb: str) -> None:
    code = (
        f"import sys; from oarflow.commands import parser; parser({verb!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert run.stdout.decode().strip() == "[]"


@pytest.mark.parametrize(
    ("verb", "commands"), [("node", NODE), ("data", DATA), ("train", TRAIN), ("evaluate", EVALUATE)]
)
def test_every_command_of_the_menu_is_there(verb: str, commands: dict[str, object]) -> None:
    assert set(subparsers(subparsers(parser(verb))[verb])) == set(commands)


def test_choices_are_those_of_the_packages() -> None:
    assert set(POSITIONS) == {one.value for one in PatientPosition}
    assert set(ROLES) == {one.value for one in UserRole}
    assert (*plan.BACKBONES, plan.DROPOUT) == BACKBONES


SHARED = {"--output": "-o", "--models": "-m", "--config": "-c"}


def commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for verb in VERBS:
        own = subparsers(parser(verb))[verb]
        yield verb, own
        for name, made in subparsers(own).items():
            yield f"{verb} {name}", made


def test_the_same_thing_has_the_same_flag_everywhere() -> None:
    for name, made in commands():
        flags = flags_of(made)
        for long, short in SHARED.items():
            assert (long in flags) == (short in flags), name
        assert not flags & {"--openkbp", "--out", "--out-dir"}, name


@pytest.mark.parametrize(
    ("verb", "module", "extra"),
    [
        (["node", "doctor"], "sqlalchemy", "node"),
        (["data", "report", "DATA", "-o", "OUT"], "SimpleITK", "evaluate"),
        (
            ["evaluate", "compare", "--reference", "A", "--prediction", "B", "-o", "OUT"],
            "matplotlib",
            "evaluate",
        ),
        (["evaluate", "benchmark-receiving"], "pynetdicom", "node"),
        (["commission", "--verify", "RECORD"], "skimage", "evaluate"),
        (["train", "systems"], "monai", "train"),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(
    verb: list[str],
    module: str,
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert module in EXTRAS[extra]
    monkeypatch.setitem(sys.modules, module, None)
    assert main(verb) == 2
    (line,) = capsys.readouterr().err.splitlines()
    words = f"{module} is not installed: install OARflow with the extra [{extra}]"
    assert line == f"oarflow: EXTRA: {words}"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that commands are called in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["node"], 2, "`oarflow node --help` lists them"),
        (["node", "doctor", "-c", "nowhere.yaml"], 2, "SETTINGS: nowhere.yaml cannot be read"),
        (["commission"], 2, "give --data, --thresholds and --output"),
        (["commission", "--verify", "nowhere.json"], 3, "nowhere.json"),
        (["evaluate", "dose", "--reference", "A"], 2, "give both --reference and --prediction"),
        (["evaluate", "rank", "a/scores.csv", "b/scores.csv"], 3, "a/scores.csv"),
        (["evaluate", "rtstruct-roundtrip", "--data", "none", "-o", "page.md"], 3, "no scan"),
        (["data", "report", "nowhere", "-o", "out"], 3, "nowhere"),
        (["train", "fit", "no_such", "--data", "D", "--work", "W"], 2, "no_such"),
        (["train", "audit", "--data", "nowhere", "-o", "facts.csv"], 3, "nowhere"),
    ],
)
def test_a_command_ends_with_one_line_and_its_status(
    words: list[str],
    status: int,
    said: str,
    elsewhere: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(words) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("oarflow: ")
    assert said in line
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("words", [["evaluate"], ["data"], ["train"], ["train", "fit"]])
def test_without_what_it_needs_usage_is_said(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


def test_settings_of_the_node_before_and_after_its_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node.yaml"
    file.write_text("listener: {ae_title: ELSEWHERE}")
    for words in (
        ["-c", str(file), "--print-config"],
        ["-c", str(file), "run", "--print-config"],
        ["doctor", "--print-config", "--config", str(file)],
    ):
        assert main(["node", *words]) == 0
        assert "ae_title: ELSEWHERE" in capsys.readouterr().out


def test_there_is_no_other_way_in() -> None:
    """A test for the name `__main__` would begin a program."""
    packages = [ROOT / "oarflow" / name for name in ("node", "datasets", "training", "evaluation")]
    sources = [path for package in packages for path in sorted(package.rglob("*.py"))]
    assert not [path for path in sources if path.name == "__main__.py"]
    ways = {path for path in sources if '__name__ == "__main__"' in path.read_text()}
    assert {str(path.relative_to(ROOT)) for path in ways} == SCRIPTS


def shown() -> Iterator[tuple[Path, str, str, str]]:
    """Every command on the pages: page, verb, its command or "", the rest up to where it ends."""
    pattern = re.compile(
        rf"\boarflow ({'|'.join(VERBS)})\b(?: -c \S+)? *([a-z][a-z-]*)?([^`\n#|]*)"
    )
    for page in PAGES:
        for verb, name, rest in pattern.findall(page.read_text(encoding="utf-8")):
            yield page, verb, name, rest


def test_commands_on_the_pages_are_those_of_the_menu() -> None:
    every = dict(commands())
    count = 0
    for page, verb, name, rest in shown():
        known = subparsers(every[verb])
        if known and name:
            assert name in known, f"{page.name}: oarflow {verb} {name}"
        made = every.get(f"{verb} {name}" if known and name else verb)
        assert made is not None
        flags = {word.partition("=")[0] for word in re.findall(r"(?<=\s)-[-\w=]+", rest)}
        allowed = flags_of(made) | {
            flag for sub in subparsers(made).values() for flag in flags_of(sub)
        }
        assert flags <= allowed, f"{page.name}: oarflow {verb} {name}{rest}"
        count += 1
    assert count > 60


def test_no_page_names_a_program_that_is_gone() -> None:
    gone = re.compile(r"python3? -m (oarflow\.)?(node|service|datasets|training|evaluation)\b")
    files = (
        *PAGES,
        ROOT / "Makefile",
        *(ROOT / "oarflow").rglob("*"),
        *(ROOT / "deploy").rglob("*"),
    )
    for path in files:
        if path.is_file() and path.suffix not in (".pyc", ".ts", ".woff2", ".png"):
            assert not gone.search(path.read_text(encoding="utf-8", errors="ignore")), path
