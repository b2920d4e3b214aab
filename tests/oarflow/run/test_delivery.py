"""OUT: names come at the end and together, or not at all."""

from __future__ import annotations

import shutil
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


def test_a_thread_that_goes_on_finds_no_folder_to_write_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a signal the run's own thread writes until the process ends, while files go."""
    (tmp_path / "in").mkdir()
    delivery = Delivery.open(tmp_path / "out", tmp_path / "in")
    room = delivery.room("study")
    removed = shutil.rmtree

    def remove(folder: Path, **options: bool) -> None:
        with pytest.raises(FileNotFoundError):
            (room / "late").write_bytes(b"x")
        removed(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", remove)
    assert delivery.abandon()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
