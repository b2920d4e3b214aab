"""What YAML of people's own must not do: lose a key without a message, or end in a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from oarflow.datasets.derived.corrections import Corrections
from oarflow.datasets.split import Split, wrong_references
from oarflow.errors import ConfigurationError
from oarflow.evaluation.commissioning.thresholds import read_thresholds
from oarflow.node.settings import load_settings as node_settings
from oarflow.organs import CatalogueError, load_catalogue
from oarflow.run.settings import load_settings as application_settings
from oarflow.training.configuration import read_configuration
from oarflow.training.papers.slice.backbone_choice import chosen_backbone
from oarflow.yaml_files import MAX_BYTES, YamlError, parse_yaml, read_yaml

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)

BROKEN = {
    "key": ("listener:\n  port: 1\na: {}\nlistener:\n  port: 2\n", "line 4: .*'listener'.*line 1"),
    "inner": ("listener:\n  allow: [1]\n  port: 1\n  allow: []\n", "line 4: .*'allow'.*line 2"),
    "in a list": ("a:\n- b: 1\n  c: 2\n  b: 3\n", "line 4: .*'b'.*line 2"),
    "quoted": ("allow: 1\n\"allow\": 2\n", "line 2: .*'allow'.*line 1"),
    "flow": ("{a: 1,\n b: 2,\n a: 3}", "line 3: .*'a'.*line 1"),
    "number": ("1: a\n0x1: b\n", "line 2: .*1.*line 1"),
    "truth": ("yes: a\non: b\n", "line 2: .*True.*line 1"),
    "same value": ("a: 1\na: 1\n", "line 2"),
    "deep list": ("a: " + "[" * 50_000, "line 1: nested deeper than 20"),
    "deep mapping": ("".join(f"{' ' * k}a:\n" for k in range(3000)), "line 2.: nested deeper"),
    "dashes": ("- " * 50_000, "line 1: nested deeper than 20"),
    "laughs": (LAUGHS, r"line 2: an alias \(\*\) is not allowed"),
    "itself": ("a: &a\n  b: *a\n", "line 2: an alias"),
    "merge": ("a:\n  <<: {b: 1}\n  b: 2\n", r"line 2: a merge key \(<<\)"),
    "list as key": ("? [a]\n: 1\n", "line 1: a key is a list or a mapping"),
    "object": ("a: 1\nb: !!python/object/apply:os.system [a]\n", "line 2: could not"),
    "digits": ("a: 1\nb: " + "9" * 5000 + "\n", "line 2: no valid int"),
    "date": ("a: 2024-13-45\n", "line 1: no valid timestamp"),
    "time": ("a: !!timestamp soon\n", "line 1: no valid timestamp"),
    "tab": ("a:\n\tb: 1\n", "line 2: found character"),
    "open": ("a: [\n", "line 2: "),
    "two": ("a: 1\n---\na: 2\n", "line 2: but found another document"),
    "control": ("a: 1\nb: \x07\n", "line 2: a character that YAML does not allow"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_said_with_its_line(case: str) -> None:
    text, message = BROKEN[case]
    with pytest.raises(YamlError, match=message):
        parse_yaml(text)


def test_no_value_is_told() -> None:
    with pytest.raises(YamlError) as caught:
        parse_yaml("password: secret\npassword: secret2\n")
    assert str(caught.value) == "line 2: the key 'password' is already in line 1"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", None),
        ("\ufeffa: 1\n", {"a": 1}),
        ("a: {b: 1}\nc: {b: 2}\n", {"a": {"b": 1}, "c": {"b": 2}}),
        ("a: &x [1, '1', true, null, 1.5, 2024-01-02]\n", None),
        ("[" * 20 + "1" + "]" * 20, None),
    ],
)
def test_sound_text_is_read(text: str, values: object) -> None:
    found = parse_yaml(text)
    assert values is None or found == values


def test_size_and_encoding(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"a: 1\nb: M\xfcller\n")
    with pytest.raises(YamlError, match="line 2: not encoded as UTF-8"):
        read_yaml(file)
    with file.open("wb") as stream:
        stream.truncate(20 * 2**30)
    with pytest.raises(YamlError, match=f"larger than {MAX_BYTES // 2**20} MiB"):
        read_yaml(file)


READERS: dict[str, Callable[[Path], object]] = {
    "app.yaml": application_settings,
    "node.yaml": node_settings,
    "organs.yaml": load_catalogue,
    "split": Split.read,
    "wrong references": wrong_references,
    "corrections": Corrections.read,
    "training": lambda path: read_configuration(str(path)),
    "choice": lambda path: chosen_backbone(path, "slice_paper/Brainstem", {}),
    "thresholds": lambda path: read_thresholds(path, load_catalogue()),
}


AS_WRITTEN = ("split", "wrong references", "corrections")
"""Readers for which every value is text."""


@pytest.mark.parametrize(
    ("reader", "case"),
    [
        (reader, case)
        for reader in READERS
        for case in ("key", "deep list", "laughs", "digits")
        if not (case == "digits" and reader in AS_WRITTEN)
    ],
)
def test_every_file_of_people_s_own_goes_through_it(tmp_path: Path, reader: str, case: str) -> None:
    file = tmp_path / "own.yaml"
    text, message = BROKEN[case]
    file.write_text(text)
    with pytest.raises((ConfigurationError, CatalogueError, ValueError), match=message):
        READERS[reader](file)


def test_values_as_written_are_text_of_any_length(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(BROKEN["digits"][0])
    assert read_yaml(file, as_written=True) == {"a": "1", "b": "9" * 5000}
    file.write_text(f"fit: [{'9' * 5000}]\ntune: [a]\n")
    assert Split.read(file).fit == ("9" * 5000,)


def test_no_other_loader_is_used() -> None:
    root = Path(__file__).resolve().parents[2]
    tops = ("app", "operators", "oarflow")
    using = {
        str(path.relative_to(root))
        for top in tops
        for path in (root / top).rglob("*.py")
        if "yaml.safe_load" in (text := path.read_text()) or "yaml.load" in text
    }
    assert using == {"oarflow/yaml_files.py"}


def shipped_texts() -> list[Path]:
    root = Path(__file__).resolve().parents[2]
    folders = (root / name for name in ("models", "oarflow"))
    return [root / "app.yaml", *(path for one in folders for path in sorted(one.rglob("*.yaml")))]


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML was built without libyaml")
@pytest.mark.parametrize("path", shipped_texts(), ids=lambda path: path.stem)
@pytest.mark.parametrize("as_written", [False, True])
def test_libyaml_reads_what_pyyaml_reads(
    path: Path, as_written: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = path.read_text(encoding="utf-8")
    fast = parse_yaml(text, as_written=as_written)
    monkeypatch.setattr("oarflow.yaml_files._FAST", None)
    assert parse_yaml(text, as_written=as_written) == fast
