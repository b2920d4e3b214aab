"""What is wrong ends in one line that says what to do; what is unreadable is left out, and said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from oarflow.commands import main
from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case
from oarflow.datasets.openkbp import ORGANS
from oarflow.datasets.references import write_references
from oarflow.datasets.split import Split
from oarflow.training.data.data_set import TrainingData
from oarflow.training.fitting.checkpoint import CHECKPOINT_NAME
from tests.oarflow.datasets.made_up import write_pddca
from tests.oarflow.training.configurations import NETWORK
from tests.oarflow.training.patients import patient


def write_npz(folder: Path, number: int) -> Path:
    case = patient(number)
    path = folder / f"pt_{number}.npz"
    masks = {ORGANS[organ]: case.masks[organ] for organ in case.masks}
    body = np.ones(case.ct.shape, dtype=bool)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, ct=case.ct, body=body, spacing_mm=case.spacing_mm, **masks)
    return path


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "network.yaml"
    path.write_text(yaml.safe_dump(NETWORK))
    return path


def fit(network: Path, data: Path, *more: str) -> int:
    work = network.parent / "runs"
    return main(["train", "fit", str(network), "--data", str(data), "--work", str(work), *more])


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The error, which is one line of standard error."""
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("oarflow: ")]
    return line


def test_patients_that_cannot_be_read_are_left_out_named_and_counted(
    tmp_path: Path, network: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    for number in (1, 2, 3):
        write_npz(data, number)
    whole = write_npz(data, 4).read_bytes()
    (data / "pt_4.npz").write_bytes(whole[: len(whole) // 2])
    (data / "pt_5.npz").write_bytes(b"")
    np.savez(data / "pt_6.npz", foo=1)
    table = tmp_path / "split.yaml"
    table.write_text("fit: [1, 2, 4, 5, 6, 7]\ntune: [3]")
    assert fit(network, data, "--split", str(table)) == 0
    for number in (4, 5, 6, 7):
        assert caplog.text.count(f"pt_{number} is left out: ") == 1
    assert "pt_7 is left out: the split names it, and the folder does not hold it" in caplog.text
    assert "3 of 5 patients in the folder could not be read, and are left out" in caplog.text
    assert "1 of the 6 patients that the split names are not in the folder" in caplog.text
    saved = torch.load(tmp_path / "runs" / "Parotid_L" / CHECKPOINT_NAME, weights_only=True)
    assert saved["origin"]["cases"] == 2
    opened = TrainingData.open(data, table)
    assert opened.labelled("Parotid_L") == ["pt_1", "pt_2", "pt_3"]
    assert set(opened.unreadable) == {"pt_4", "pt_5", "pt_6", "pt_7"}


def test_patients_that_a_folder_does_not_hold_are_named_and_not_unreadable(
    tmp_path: Path, network: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    for number in (2, 3, 1):
        write_npz(data, number)
    # OpenKBP's own table: 2 and 3 of its 136 fitting patients are here.
    assert fit(network, data) == 0
    assert "134 of the 136 patients that the split names are not in the folder" in caplog.text
    assert "pt_200" in caplog.text
    assert "could not be read" not in caplog.text
    # All patients of a folder are read whatever a table names.
    (data / "pt_2.npz").unlink()
    (data / "pt_3.npz").unlink()
    assert [case.name for case in TrainingData.open(data).unsplit()] == ["pt_1"]


def test_numbers_of_another_data_set_are_its_own_ids(
    tmp_path: Path, network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    for name in ("1001", "007", "1e3"):
        write_pddca(data, name)
    table = tmp_path / "split.yaml"
    table.write_text("fit: [1001, 007]\ntune: [1e3]")
    assert fit(network, data, "--split", str(table)) == 0
    opened = TrainingData.open(data, table)
    assert opened.labelled("Parotid_L") == ["1001", "007", "1e3"]
    table.write_text("fit: [1002]\ntune: [8]")
    assert fit(network, data, "--split", str(table)) == 3
    said = one_line(capsys)
    assert "the folder holds none of the 1 patients that the split names (1002)" in said
    assert "it holds 007, 1001, 1e3" in said


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{organ: Left Parotid, patients: [a]}", "it is called Parotid_L"),
        ("{organ: Parotid_X, patients: [a]}", "no organ's name"),
    ],
)
def test_an_exclusion_that_would_leave_nothing_out_is_refused(
    tmp_path: Path, row: str, said: str
) -> None:
    for name in ("a", "b"):
        write_pddca(tmp_path / "data", name)
    table = tmp_path / "split.yaml"
    table.write_text(f"fit: [a]\ntune: [b]\nexclusions: [{row}]")
    with pytest.raises(ValueError, match=said):
        TrainingData.open(tmp_path / "data", table)


def test_an_exclusion_of_nobody_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a", "b"):
        write_pddca(tmp_path / "data", name)
    table = tmp_path / "split.yaml"
    table.write_text("fit: [a]\ntune: [b]\nexclusions: [{organ: Parotid_L, patients: [007]}]")
    TrainingData.open(tmp_path / "data", table)
    assert "exclusion of Parotid_L of 007: the patient neither fits nor tunes" in caplog.text


def test_a_refused_ct_of_a_clinic_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        made = patient(1)
        masks = {"Parotid_L": made.masks["Parotid_L"]}
        # Denser by 1 HU a slice: no two slices of a real scan are alike.
        ct = made.ct + np.arange(len(made.ct), dtype=np.int16)[:, None, None]
        case = Case(name, ct, (3.0, 4.0, 4.0), masks)
        write_ct(case, tmp_path / name / "ct")
        write_references(case, tmp_path / name / "ct", tmp_path / name / "rs.dcm")
    sorted((tmp_path / "b" / "ct").iterdir())[16].unlink()
    data = TrainingData.open(tmp_path)
    assert [case.name for case in data.unsplit()] == ["a"]
    assert "b is left out: it cannot be read" in caplog.text


def test_data_of_which_nothing_can_be_read_are_refused(
    tmp_path: Path, network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pt_1.npz").write_bytes(b"no")
    assert fit(network, tmp_path / "data") == 3
    assert "holds none of the 136 patients that the split names" in one_line(capsys)
    assert list(TrainingData({}, Split((), ())).read([])) == []


def test_a_damaged_checkpoint_and_one_of_another_network_are_refused(
    tmp_path: Path, network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    for number in (1, 2):
        write_npz(data, number)
    table = tmp_path / "split.yaml"
    table.write_text("fit: [1]\ntune: [2]")
    shared = ["--split", str(table)]
    assert fit(network, data, *shared) == 0
    assert fit(network, data, *shared, "--set", "widths=[8, 8]") == 2
    assert "was started with other options: widths was (4, 8), not (8, 8)" in one_line(capsys)
    path = tmp_path / "runs" / "Parotid_L" / CHECKPOINT_NAME
    saved = torch.load(path, weights_only=True)
    torch.save({key: saved[key] for key in saved if key != "configuration"}, path)
    assert fit(network, data, *shared, "--set", "widths=[8, 8]") == 2
    assert "holds another network than Parotid_L as it is configured" in one_line(capsys)
    whole = path.read_bytes()
    torch.save([1, 2], path)
    for damaged in (b"junk", whole[: len(whole) // 2], b"", path.read_bytes()):
        path.write_bytes(damaged)
        assert fit(network, data, *shared) == 3
        assert "is damaged or no checkpoint: put a copy back" in one_line(capsys)
    path.unlink()
    arguments = ["--work", str(tmp_path / "runs"), "--models", str(tmp_path)]
    assert main(["train", "export", str(network), *arguments]) == 3
    assert "fit the network first" in one_line(capsys)


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "gpu", "meta"])
def test_a_device_that_is_not_there_is_refused(
    tmp_path: Path,
    network: Path,
    device: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert fit(network, tmp_path, "--device", device) == 2
    assert f"--device {device}" in one_line(capsys).replace("'", "")


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "a: [", "", "\x00"])
def test_a_file_that_holds_no_configuration_is_refused(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "network.yaml"
    path.write_text(text)
    assert fit(path, tmp_path) == 2
    assert str(path) in one_line(capsys)


def test_patients_that_the_folder_lacks_are_not_called_unreadable(
    tmp_path: Path, network: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A subset of a data set: two of five patients, one of them damaged."""
    data = tmp_path / "data"
    write_npz(data, 1)
    (data / "pt_2.npz").write_bytes(b"no")
    read = list(TrainingData.open(data).read([f"pt_{number}" for number in range(1, 6)]))
    assert [case.name for case in read] == ["pt_1"]
    assert "3 of the 5 patients that the split names are not in the folder" in caplog.text
    assert "1 of 2 patients in the folder could not be read" in caplog.text
    with pytest.raises(ValueError, match="the folder holds none of the 2 patients"):
        list(TrainingData.open(data).read(["pt_8", "pt_9"]))
