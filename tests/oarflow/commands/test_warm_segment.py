"""The warm program carries out orders as `oarflow segment` does, and keeps no CT after them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oarflow.commands import warm_segment
from oarflow.run.kept_networks import KeptNetworks
from oarflow.run.session import Session
from oarflow.run.signals import StopOnSignal
from oarflow.volume import Volume
from oarflow.warm.order import Order
from tests.app.workbench import nothing, write_ct

CarryOut = Callable[..., tuple[int, bool]]


@pytest.fixture
def carry_out(models: Path, tmp_path: Path) -> Iterator[CarryOut]:
    """Carries out `segment CT -o OUT` with further options, in this process."""
    kept = KeptNetworks()
    with StopOnSignal() as stop:

        def act(ct: Path, *options: str) -> tuple[int, bool]:
            words = ("segment", str(ct), "-o", str(tmp_path / "out"), "-m", str(models), "--quiet")
            order = Order((*words, *options), {})
            done = warm_segment._carry_out(order, stop, kept)
            assert stop.deadline is None
            assert stop.cleanup()
            return done

        yield act


def test_exit_statuses_are_those_of_the_verb(
    carry_out: CarryOut, ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert carry_out(ct, "--no-such-option")[0] == 2
    assert carry_out(tmp_path / "nowhere")[0] == 2
    assert "oarflow: NO_INPUT: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    empty = write_ct(tmp_path / "empty", anatomy=nothing)
    assert carry_out(empty, "--progress", "none")[0] == 3
    assert capsys.readouterr().out == ""


def test_a_fault_outside_the_chain_has_status_1_and_no_texts(
    carry_out: CarryOut,
    ct: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("SECRET^PATIENT")

    monkeypatch.setattr(Session, "run", fail)
    assert carry_out(ct)[0] == 1
    said = capsys.readouterr().err
    assert "the program failed" in said
    assert "RuntimeError at" in said
    assert "SECRET" not in said


def test_no_ct_is_kept_after_its_study(carry_out: CarryOut, ct: Path) -> None:
    before = volumes()
    assert carry_out(ct, "--progress", "none")[0] == 0
    assert volumes() == before


def volumes() -> int:
    """How many CTs are in memory."""
    gc.collect()
    return sum(isinstance(one, Volume) for one in gc.get_objects())


def test_without_a_measured_peak_the_process_takes_no_other_order(
    carry_out: CarryOut, ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert carry_out(ct, "--no-such-option")[1]
    monkeypatch.setattr("oarflow.run.memory._CLEAR_REFS", tmp_path)
    assert not carry_out(ct, "--no-such-option")[1]
