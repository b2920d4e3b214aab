"""Every program ends quietly, and with its own exit status, when nobody reads what it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from oarflow.commands import main
from tests.oarflow.node.node_bench import settings_at

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "openkbp_validation"

COMMANDS: dict[str, tuple[str, ...]] = {
    "app --help": ("app", "--help"),
    "app --explain-codes": ("app", "--explain-codes"),
    "app --print-config": ("app", "--print-config"),
    "codes": ("oarflow", "codes"),
    "organs": ("oarflow", "organs"),
    "completion": ("oarflow", "completion", "bash"),
    "deploy.map_package lint": ("deploy.map_package", "lint", ".", "--all"),
    "lint": ("oarflow", "lint", str(SAMPLE / "reference.dcm")),
    "data --help": ("oarflow", "data", "--help"),
    "evaluate --help": ("oarflow", "evaluate", "--help"),
    "train --help": ("oarflow", "train", "--help"),
    "node --help": ("oarflow", "node", "--help"),
    "node --print-config": ("oarflow", "node", "--print-config"),
    "node audit": ("oarflow", "node", "audit"),
    "node doctor": ("oarflow", "node", "doctor"),
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a node whose audit log is longer than what a pipe holds."""
    root = tmp_path_factory.mktemp("node")
    file = root / "node.yaml"
    file.write_text(settings_at(root).as_yaml())
    for _ in range(3):
        assert main(["node", "-c", str(file), "audit", "--after", "999999"]) == 0
    return file


def start(words: tuple[str, ...], config: Path, out: int, *flags: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OARFLOW_NODE_CONFIG": str(config)}
    return subprocess.Popen(
        [sys.executable, *flags, "-m", *words],
        cwd=ROOT,
        stdout=out,
        stderr=subprocess.PIPE,
        env=environment,
    )


def unread() -> int:
    """The end of a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("name", COMMANDS)
def test_a_reader_that_goes_ends_no_program(name: str, config: Path) -> None:
    words = COMMANDS[name]
    read = start(words, config, subprocess.PIPE)
    expected = read.communicate()
    assert expected[0]
    writing = unread()
    alone = start(words, config, writing)
    os.close(writing)
    _, said = alone.communicate()
    assert b"BrokenPipe" not in said
    assert b"Traceback" not in said
    assert alone.returncode == read.returncode


@pytest.mark.parametrize("flags", [(), ("-u",)])
def test_neither_output_nor_error_is_read(config: Path, flags: tuple[str, ...]) -> None:
    """As with `2>&1 | head`: usage goes to standard error."""
    for words, status in ((("oarflow", "node", "audit"), 0), (("oarflow", "node", "nothing"), 2)):
        writing = unread()
        environment = {**os.environ, "OARFLOW_NODE_CONFIG": str(config)}
        run = subprocess.run(
            [sys.executable, *flags, "-m", *words],
            cwd=ROOT,
            stdout=writing,
            stderr=writing,
            env=environment,
            check=False,
        )
        os.close(writing)
        assert run.returncode == status


def test_audit_into_head(config: Path) -> None:
    command = f"set -o pipefail; {sys.executable} -m oarflow node -c {config} audit | head -n 1"
    run = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, check=False)
    assert (run.returncode, run.stderr) == (0, b"")
    assert json.loads(run.stdout)["id"] == 1


def test_a_closed_output_is_no_fault(config: Path) -> None:
    command = f"{sys.executable} -m oarflow node -c {config} audit >&-"
    run = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, check=False)
    assert (run.returncode, run.stderr) == (0, b"")


def test_what_is_read_is_whole_and_comes_at_once(config: Path) -> None:
    """Without buffering (-u) the first line comes before the program's end."""
    code = (
        "import sys, time\n"
        "from oarflow.console import ignore_closed_pipes\n"
        "ignore_closed_pipes(); ignore_closed_pipes()\n"
        "sys.stdout.write('\\u5c71\\n'); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    assert process.stdout is not None
    assert process.stdout.readline().decode() == "山\n"
    process.kill()
    process.communicate()
