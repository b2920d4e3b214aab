"""Bundles that want to run something: nothing runs, and the refusal names it."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from oarflow.importing.bundle import files
from oarflow.importing.bundle.bundle import read_bundle
from oarflow.importing.errors import NotImportedError
from tests.oarflow.importing.bundle.bundles import configuration, transform, write_bundle

INFERENCE = Path("configs", "inference.json")
WEIGHTS = Path("models", "model.pt")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A good bundle, to be changed."""
    write_bundle(tmp_path / "bundle", configuration())
    return tmp_path / "bundle"


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that hostile code would make."""
    return tmp_path / "marker"


def test_expressions_that_do_not_matter_are_left_alone(bundle: Path, marker: Path) -> None:
    document = configuration()
    command = f"$import os; os.system('touch {marker}')"
    document["imports"] = [command]
    document["initialize"] = [command]
    document["evaluator"] = {"_target_": "subprocess.Popen", "args": ["touch", str(marker)]}
    transform(document, "postprocessing", "SaveImaged")["output_dir"] = command
    write_bundle(bundle, document)
    assert read_bundle(bundle).heads == 4
    assert not marker.exists()


@pytest.mark.parametrize("place", ["preprocessing", "inferer", "postprocessing", "network_def"])
def test_expressions_that_matter_are_refused(place: str, bundle: Path, marker: Path) -> None:
    document = configuration()
    document[place] = f"$__import__('os').system('touch {marker}')"
    (bundle / INFERENCE).write_text(json.dumps(document))
    with pytest.raises(NotImportedError, match=f"{place} is the Python expression"):
        read_bundle(bundle)
    assert not marker.exists()


@pytest.mark.parametrize("place", ["preprocessing", "inferer", "postprocessing", "network_def"])
def test_no_name_is_imported(place: str, bundle: Path, marker: Path) -> None:
    document = configuration()
    document[place] = {"_target_": "subprocess.Popen", "args": ["touch", str(marker)]}
    (bundle / INFERENCE).write_text(json.dumps(document))
    with pytest.raises(NotImportedError, match=r"'subprocess.Popen', which is no class of MONAI"):
        read_bundle(bundle)
    assert not marker.exists()


def test_yaml_makes_no_objects(bundle: Path, marker: Path) -> None:
    (bundle / INFERENCE).unlink()
    text = f"preprocessing: !!python/object/apply:os.system ['touch {marker}']\n"
    (bundle / "configs" / "inference.yaml").write_text(text)
    with pytest.raises(NotImportedError, match=r"inference\.yaml cannot be read: line 1"):
        read_bundle(bundle)
    assert not marker.exists()


class Command:
    """A pickle that runs a command when it is opened."""

    def __init__(self, words: str) -> None:
        self.words = words

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.words,)


def test_weights_are_no_pickle(bundle: Path, marker: Path) -> None:
    torch.save({"model": Command(f"touch {marker}")}, bundle / WEIGHTS)
    with pytest.raises(NotImportedError, match=r"asks for '.*system', .*save the network's"):
        read_bundle(bundle)
    (bundle / WEIGHTS).write_bytes(b"\x80\x02]q\x00.")
    with pytest.raises(NotImportedError, match="no archive of torch: save the network's"):
        read_bundle(bundle)
    assert not marker.exists()


def test_weights_are_tensors(bundle: Path) -> None:
    torch.save({"conv.weight": 3.0}, bundle / WEIGHTS)
    with pytest.raises(NotImportedError, match=r"holds 'conv.weight', which is no weight"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["configs/metadata.json", str(INFERENCE), str(WEIGHTS), "models"])
def test_links_are_refused(name: str, bundle: Path, tmp_path: Path) -> None:
    place = bundle / name
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotImportedError, match="is a symbolic link: copy the bundle's files"):
        read_bundle(bundle)


def test_oversized_files_are_refused(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_CONFIGURATION_BYTES", 100)
    with pytest.raises(NotImportedError, match="is larger than 0 MiB"):
        read_bundle(bundle)


def test_absent_files_are_named(bundle: Path) -> None:
    (bundle / WEIGHTS).unlink()
    with pytest.raises(NotImportedError, match=r"has no file models/model.ts"):
        read_bundle(bundle)
    (bundle / "configs" / "inference.yaml").write_text("{}")
    with pytest.raises(NotImportedError, match=r"inference.json and configs/inference.yaml"):
        read_bundle(bundle)


class Writes(torch.nn.Module):
    """A network that writes a file when it runs."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, self.path)
        return torch.cat([x, x, x, x], 1)


class WritesWhenLoaded(torch.nn.Module):
    """A network that writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, x, x, x], 1)

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        torch.save(torch.zeros(1), state[0])
        self.path, self.training = state


class Plain(torch.nn.Module):
    """A network whose hook writes a file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, x, x, x], 1)


def hook(self: Plain, given: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    torch.save(given[0], self.path)
    return given


def scripted(bundle: Path, network: torch.nn.Module) -> None:
    place = str(bundle / "models" / "model.ts")
    torch.jit.script(network).save(place)  # type: ignore[no-untyped-call]


def refused(bundle: Path, said: str) -> None:
    with pytest.raises(NotImportedError, match=said):
        read_bundle(bundle, torchscript=True)


def test_torchscript_that_writes_is_refused(bundle: Path, marker: Path) -> None:
    scripted(bundle, Writes(marker))
    refused(bundle, "uses 'aten::save', which is not on OARflow's list .*: export the network")
    scripted(bundle, WritesWhenLoaded(marker))
    refused(bundle, "has __setstate__, code that runs outside of the network: export")
    hooked = Plain(marker)
    hooked.register_forward_pre_hook(hook)
    scripted(bundle, hooked)
    refused(bundle, "has __forward_pre_hooks__, code that runs outside")
    assert not marker.exists()


def test_these_files_would_write_without_the_checks(bundle: Path, marker: Path) -> None:
    scripted(bundle, WritesWhenLoaded(marker))
    torch.jit.load(str(bundle / "models" / "model.ts"))  # type: ignore[no-untyped-call]
    assert marker.exists()


def test_other_archives_are_no_torchscript(bundle: Path) -> None:
    place = bundle / "models" / "model.ts"
    place.write_bytes(b"no archive")
    refused(bundle, "is no archive of torch")
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/code/large.py", b"\0" * 20_000_000)
    refused(bundle, "would unpack to more than torch writes")
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("../../evil/version", b"3")
        archive.writestr("archive/version", b"3")
    refused(bundle, "is no archive of torch")
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("archive/version", b"3")
    refused(bundle, "cannot be loaded")
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("archive/data.pkl", b"c__torch__.torch\nclasses.rnn.CellParamsBase\n")
    refused(bundle, "has torch.classes")


def test_what_an_author_added_to_torchscript_is_left_out(bundle: Path) -> None:
    document = configuration()
    network = write_bundle(bundle, document)
    place = bundle / "models" / "model.ts"
    extra = {"inference.json": "{}"}
    made = torch.jit.script(network)
    made.save(str(place), _extra_files=extra)  # type: ignore[no-untyped-call]
    found = read_bundle(bundle, torchscript=True).network
    tile = torch.rand(1, 1, 16, 16, 12)
    with torch.inference_mode():
        assert torch.equal(found(tile), network(tile))
