"""Folders of templates: what is read, and every bad folder ends in a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oarflow.errors import ConfigurationError
from oarflow.templates.folder import MAX_BYTES, MAX_TEMPLATES, read_templates, templates_folder

GOOD = "rules: [{protocol_name: larynx}]\norgans: [Brainstem]\n"


def written(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_templates(folder)
    assert caught.value.code == "TEMPLATES"
    return str(caught.value)


def test_what_a_template_holds(tmp_path: Path) -> None:
    (one,) = read_templates(written(tmp_path, larynx=f"about: why\norder: 3\n{GOOD}")).templates
    assert (one.name, one.keys.about, one.keys.order) == ("larynx", "why", 3)
    assert one.settings == {"organs": ["Brainstem"]}
    assert not one.is_default


def test_other_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    written(tmp_path, larynx=GOOD)
    (tmp_path / "README.md").write_text("[")
    (tmp_path / ".draft.yaml").write_text("[")
    (tmp_path / "old").mkdir()
    assert [one.name for one in read_templates(tmp_path).templates] == ["larynx"]


def test_links_as_kubernetes_makes_them_are_read(tmp_path: Path) -> None:
    version = tmp_path / "..2026_01_01"
    version.mkdir()
    written(version, larynx=GOOD)
    (tmp_path / "..data").symlink_to(version.name)
    (tmp_path / "larynx.yaml").symlink_to("..data/larynx.yaml")
    assert [one.name for one in read_templates(tmp_path).templates] == ["larynx"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[", "bad.yaml: line 1"),
        ("- a list", "must hold keys and values"),
        ("", "must hold keys and values"),
        ("1: x", "must hold keys and values"),
        ("organs: [Brain]\norgans: [Larynx]", "the key 'organs' is already in line 1"),
        ("a: &a [x]\nb: *a", "an alias"),
        ("organs: " + "[" * 5000, "nested deeper"),
        ("rules: [{protocol_name: '('}]", "rules.0.protocol_name.*not a regular expression"),
        ("rules: [{}]", "a rule needs a condition"),
        ("rules: [{protocol: x}]", "unknown key 'rules.0.protocol'"),
        ("rules: {protocol_name: x}", "rules: "),
        ("order: first", "order: "),
        ("about: [x]", "about: "),
        ("series: {min_slices: 1}", "series is a setting of the whole run: set it in app.yaml"),
        ("trusted_models: null", "trusted_models is a setting of the whole run"),
        ("templates: other", "templates is a setting of the whole run"),
        ("label: \0", "a character that YAML does not allow"),
    ],
)
def test_a_bad_template_is_named_with_its_fault(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        read_templates(written(tmp_path, good=GOOD, bad=text))


def test_a_bomb_of_aliases_ends_at_once(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for one, before in zip("bcdefghi", "abcdefgh", strict=True):
        lines.append(f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]")
    assert "an alias" in refused(written(tmp_path, bomb="\n".join(lines)))


def test_two_templates_without_rules(tmp_path: Path) -> None:
    said = refused(written(tmp_path, one="organs: all", two="organs: all"))
    assert "one and two have no rules: only one can be the default" in said


def test_names_that_differ_in_case_only(tmp_path: Path) -> None:
    assert "differ only in letter case" in refused(written(tmp_path, larynx=GOOD, Larynx=GOOD))


@pytest.mark.parametrize("name", ["two words", "a.b", "-x", "x" * 65])
def test_names_that_are_no_names(tmp_path: Path, name: str) -> None:
    assert "a name has letters" in refused(written(tmp_path, **{name: GOOD}))


def test_a_suffix_that_would_be_overlooked(tmp_path: Path) -> None:
    (tmp_path / "larynx.yml").write_text(GOOD)
    assert "larynx.yml: a template's name ends in .yaml" in refused(written(tmp_path, a=GOOD))


def test_a_folder_without_templates(tmp_path: Path) -> None:
    assert "holds no template" in refused(tmp_path)
    assert "No such file" in refused(tmp_path / "missing")
    (tmp_path / "file").touch()
    assert "Not a directory" in refused(tmp_path / "file")


def test_a_link_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (tmp_path / "elsewhere.yaml").write_text(GOOD)
    (folder / "larynx.yaml").symlink_to("../elsewhere.yaml")
    assert "leads out of the folder" in refused(folder)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "pipe.yaml is not a file" in refused(tmp_path)


def test_files_beyond_the_limits(tmp_path: Path) -> None:
    assert "larger than 256 KiB" in refused(written(tmp_path, big="#" * (MAX_BYTES + 1)))
    (tmp_path / "big.yaml").write_bytes(b"label: \xff")
    assert "not encoded as UTF-8" in refused(tmp_path)
    for number in range(MAX_TEMPLATES):
        (tmp_path / f"t{number}.yaml").write_text(GOOD)
    assert "more than 200" in refused(tmp_path)


def test_the_folder_that_a_setting_names(tmp_path: Path) -> None:
    assert templates_folder(None, tmp_path) is None
    assert templates_folder("own", tmp_path) == tmp_path / "own"
    assert templates_folder("/srv/own", tmp_path) == Path("/srv/own")
    shipped = templates_folder("shipped", tmp_path)
    assert shipped is not None
    assert {one.name for one in read_templates(shipped).templates} == {
        "head_neck",
        "larynx",
        "research_all",
    }
