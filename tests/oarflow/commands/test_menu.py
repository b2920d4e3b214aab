"""The menu: fast, on one screen, completed by the shell."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from oarflow.commands import VERBS, main
from oarflow.commands.flags import profiles
from oarflow.rtstruct.profile import profile_names
from tests.app.workbench import app

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("numpy", "torch", "scipy", "pydicom", "highdicom", "monai", "SimpleITK")
SCREEN = 45
"""Lines of a terminal of ordinary height."""

OWN = (
    "segment",
    "report",
    "lint",
    "organs",
    "models",
    "self-test",
    "codes",
    "config",
    "completion",
)


@pytest.mark.parametrize(
    "words",
    [["--help"], ["organs"], ["organs", "--json"], ["models"], ["models", "show", "Larynx"]]
    + [[verb, "--help"] for verb in OWN],
    ids=" ".join,
)
def test_what_needs_no_numbers_imports_none(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from oarflow.commands import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit:\n"
        "    pass\n"
        f"assert not set({HEAVY}) & set(sys.modules), set({HEAVY}) & set(sys.modules)\n"
    )
    ran = app(*words, program=("-c", code))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


@pytest.mark.parametrize("verb", [None, *OWN])
def test_help_on_one_screen(verb: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"] if verb is None else [verb, "--help"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) <= 100


def test_no_verb_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "VERB" in capsys.readouterr().out


def test_the_profiles_in_the_help_are_those_there_are() -> None:
    assert profiles().split(", ") == list(profile_names())


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The verbs whose modules are there."""
    found = [
        verb
        for verb in VERBS
        if importlib.util.find_spec(f"oarflow.commands.{verb.replace('-', '_')}")
    ]
    monkeypatch.setattr("oarflow.commands.VERBS", {verb: VERBS[verb] for verb in found})
    return found


def flags_of(verb: str) -> set[str]:
    """A verb's long flags, from its usage."""
    own = argparse.ArgumentParser()
    module = importlib.import_module(f"oarflow.commands.{verb.replace('-', '_')}")
    module.add_arguments(own)
    return {
        word.strip("[],")
        for word in own.format_usage().split()
        if word.strip("[],").startswith("--")
    }


COMPLETE = """
source /dev/stdin <<< "$SCRIPT"
COMP_WORDS=($WORDS "$LAST"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
COMP_LINE="$WORDS $LAST"; COMP_POINT=${#COMP_LINE}
$(complete -p oarflow | sed 's/.*-F \\([^ ]*\\).*/\\1/') oarflow "$LAST" ""
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(script: str, words: str, last: str, folder: Path) -> list[str]:
    """What bash offers for the last word."""
    ran = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE],
        env={"SCRIPT": script, "WORDS": words, "LAST": last, "PATH": "/usr/bin:/bin"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ran.stdout.split()


def test_bash_completes_verbs_flags_values_and_paths(
    ready: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert set(completed(script, "oarflow", "", tmp_path)) >= set(ready)
    assert completed(script, "oarflow", "self", tmp_path) == ["self-test"]
    for verb in OWN:
        assert set(completed(script, f"oarflow {verb}", "--", tmp_path)) >= flags_of(verb)
    assert set(completed(script, "oarflow segment --device", "", tmp_path)) >= {"cuda", "cpu"}
    (tmp_path / "ct_folder").mkdir()
    assert completed(script, "oarflow segment", "ct_", tmp_path) == ["ct_folder"]
    assert completed(script, "oarflow segment --output", "ct_", tmp_path) == ["ct_folder"]


def test_zsh_has_every_verb(ready: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "zsh"]) == 0
    script = capsys.readouterr().out
    assert script.startswith("#compdef oarflow")
    for verb in ready:
        assert f'"{verb}:' in script or f"{verb})" in script


@pytest.mark.parametrize("words", [["codes"], ["organs"], ["config"]], ids=" ".join)
def test_a_reader_that_goes_ends_no_verb(words: list[str]) -> None:
    command = f"set -o pipefail; {sys.executable} -m oarflow {' '.join(words)} | head -n 1"
    ran = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_versions_of_program_and_networks(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == "OARflow 0.1.0, networks 1.2\n"
