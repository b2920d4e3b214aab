"""OUT: names come at the end and together, or not at all."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from oarflow.errors import ConfigurationError
from oarflow.run.delivery import Delivery, Parcel


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def staged(delivery: Delivery, folder: Path, *names: str) -> Parcel:
    room = delivery.room(folder.name)
    files = []
    for name in names:
        path = room / f"{name}.part"
        path.write_bytes(name.encode())
        files.append((name, path))
    return Parcel(folder, tuple(files), b"{}")


def test_nothing_that_is_exported_is_there_before_the_end(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    delivery = Delivery.open(out, source)
    parcel = staged(delivery, out, "a.dcm", "b.dcm")
    assert not list(out.rglob("*.dcm"))
    assert not list(out.rglob("result.json"))
    assert all(path.name.startswith(".") for path in out.iterdir())
    delivery.commit(parcel)
    assert sorted(path.name for path in out.iterdir()) == ["a.dcm", "b.dcm", "result.json"]


def test_what_was_named_is_taken_back_if_one_fails(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    delivery = Delivery.open(out, source)
    parcel = staged(delivery, out, "a.dcm", "b.dcm")
    parcel.files[1][1].unlink()
    with pytest.raises(ConfigurationError) as caught:
        delivery.commit(parcel)
    assert caught.value.code == "OUTPUT_NOT_WRITABLE"
    assert not out.exists()


def test_abandoning_keeps_what_others_put_there(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "new" / "out"
    delivery = Delivery.open(out, source)
    (out / "theirs.txt").write_text("")
    assert delivery.abandon()
    assert [path.name for path in out.iterdir()] == ["theirs.txt"]


def test_nothing_to_abandon_after_delivery(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    delivery = Delivery.open(out, source)
    delivery.commit(staged(delivery, out, "a.dcm"))
    assert not delivery.abandon()
    assert (out / "a.dcm").exists()


@pytest.mark.parametrize("out", ["in", "in/below", "."])
def test_in_and_out_lie_apart(out: str, tmp_path: Path, source: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Delivery.open((tmp_path / out).resolve(), source)
    assert caught.value.code == "OUTPUT_OVERLAPS_INPUT"


def test_leavings_of_a_killed_run_go(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    left = out / ".oarflow-killed"
    left.mkdir(parents=True)
    (left / "rtstruct.part").write_text("")
    Delivery.open(out, source).abandon()
    assert list(out.iterdir()) == []


def test_nothing_is_left_by_a_thread_that_goes_on_writing(tmp_path: Path) -> None:
    """As after a signal: the run's own thread writes until the process ends."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    delivery = Delivery.open(out, source)
    room = delivery.room("study")
    begun, errors = threading.Event(), []

    def write() -> None:
        for number in range(100_000):
            try:
                (room / str(number)).write_bytes(b"x")
            except OSError as error:
                errors.append(error)
                return
            if number == 200:
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait(30)
    assert delivery.abandon()
    writer.join(30)
    assert errors
    assert list(tmp_path.iterdir()) == [source]
