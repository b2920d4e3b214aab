"""app.yaml: it shows the defaults, and what is wrong in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from oarflow.errors import ConfigurationError
from oarflow.intake import SeriesRules
from oarflow.organs import load_catalogue
from oarflow.run.settings import (
    PACKAGER_KEYS,
    Settings,
    load_settings,
    precedence,
    requested_organs,
)

APP_YAML = Path(__file__).resolve().parents[3] / "app.yaml"


def loaded(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "app.yaml"
    path.write_text(text)
    return load_settings(path)


def test_app_yaml_shows_every_default() -> None:
    document = yaml.safe_load(APP_YAML.read_text())
    own = {key: value for key, value in document.items() if key not in PACKAGER_KEYS}
    # Dumps leave these out while they are empty, so that UIDs do not change.
    unset = {"prefer": {}, "second_opinion": {}, "structures": []}
    assert own == Settings().model_dump(mode="json") | unset
    assert set(own) == set(Settings.model_fields)


def test_hansegs_budget_is_shipped() -> None:
    budget = load_settings(APP_YAML.parent / "docs" / "hanseg.yaml")
    assert (budget.run_seconds, budget.memory_gb, budget.strict) == (900, 16.0, True)


def test_series_defaults_are_the_intakes() -> None:
    assert Settings().rules == SeriesRules()


def test_printed_settings_can_be_read_again(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "organs: [Brainstem]\nrois: {colours: {Brainstem: [1, 2, 3]}}")
    assert loaded(tmp_path, settings.as_yaml()) == settings


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert loaded(tmp_path, "# nothing") == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strickt: true", "unknown key 'strickt'; did you mean strict"),
        ("outputs: {segg: true}", "unknown key 'outputs.segg'; did you mean seg"),
        ("device: tpu", "device: .*'cuda'"),
        ("organ_seconds: 0", "organ_seconds: "),
        ("threads: 0", "threads: "),
        ("series: {max_oblique: 3}", "max_oblique"),
        ("series: {select: [{description: '('}]}", "description"),
        ("rois: {colours: {Brainstem: [0, 0, 256]}}", r"rois\.colours\.Brainstem"),
        ("trusted_models: [abc]", "trusted_models"),
        ("contours: {tolerance_mm: 1}", r"contours\.tolerance_mm"),
        ("- a list", "keys and values"),
        ("organs: [", "cannot be read"),
        ("organs: " + "[" * 5000, "nested deeper"),
        ("organs: " + "[" * 30 + "]" * 30, "nested deeper"),
        ("application: {a: &a [x], b: *a}", "alias"),
        ("series: {select: [{image_type: [[AXIAL]]}]}", "list of words"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        loaded(tmp_path, text)


def test_an_alias_bomb_ends_at_once(tmp_path: Path) -> None:
    """Nine lists of nine of each other: a thousand million words."""
    lists = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for one, before in zip("bcdefghi", "abcdefgh", strict=True):
        lists.append(f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]")
    text = "resources:\n  " + "\n  ".join(lists)
    text += "\nseries: {select: [{image_type: [*i]}]}\n"
    with pytest.raises(ConfigurationError, match="alias") as error:
        loaded(tmp_path, text)
    assert error.value.code == "SETTINGS"


def test_organs_come_once_and_in_catalogue_order(tmp_path: Path) -> None:
    catalogue = load_catalogue()
    settings = loaded(tmp_path, "organs: [right parotid, Brainstem, Parotid_R, left parotid]")
    organs = requested_organs(settings, (), catalogue)
    assert sorted(organs) == ["Brainstem", "Parotid_L", "Parotid_R"]
    assert list(organs) == [name for name in catalogue.names if name in organs]


def test_all_is_what_the_models_can_do() -> None:
    available = ("Parotid_L", "Brainstem")
    assert set(requested_organs(Settings(), available, load_catalogue())) == set(available)


def test_a_name_without_its_side_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Parotid"):
        requested_organs(loaded(tmp_path, "organs: [Parotid]"), (), load_catalogue())


def test_precedence_takes_other_names_in_their_order_and_no_unknown_one(tmp_path: Path) -> None:
    catalogue = load_catalogue()
    assert precedence(Settings(), catalogue) == ("Brainstem", "SpinalCord")
    own = loaded(tmp_path, "precedence: [Myelon, Brain Stem, SpinalCord]")
    assert precedence(own, catalogue) == ("SpinalCord", "Brainstem")
    with pytest.raises(ConfigurationError) as error:
        precedence(loaded(tmp_path, "precedence: [Brainstm]"), catalogue)
    assert error.value.code == "ORGAN_UNKNOWN"


class TestChanges:
    """`--set key=value`: any setting, on top of the file."""

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            (["organs=[Larynx, left parotid]"], {"organs": ("Larynx", "left parotid")}),
            (["contours.tolerance_mm=0.05"], {"contours": {"tolerance_mm": 0.05}}),
            (["outputs.seg=true", "outputs.report_pdf=on"], {"outputs": {"report_pdf": True}}),
            (["outputs={report_pdf: true}"], {"outputs": {"seg": False, "report_pdf": True}}),
            (["rois.names.Larynx=LX"], {"rois": {"names": {"Larynx": "LX"}}}),
            (["threads=null", "run_seconds=null"], {"threads": None, "run_seconds": None}),
            (["label=one", " label = two=2"], {"label": "two=2"}),
            (["series.select=[{description: a.b}]"], {"series": {"min_slices": 20}}),
            ([], {"label": "SITE", "outputs": {"seg": True}}),
        ],
    )
    def test_values(self, changes: list[str], expected: dict[str, object], tmp_path: Path) -> None:
        file = tmp_path / "app.yaml"
        file.write_text(
            "application: {title: x}\nlabel: SITE\noutputs: {seg: true}\nseries: {min_slices: 20}\n"
        )
        found = load_settings(file, changes).model_dump()
        for key, value in expected.items():
            if isinstance(value, dict):
                assert value.items() <= found[key].items()
            else:
                assert found[key] == value
        untouched = set(found) - set(expected) - {change.split(".")[0] for change in changes}
        plain = load_settings(file).model_dump()
        assert all(found[key] == plain[key] for key in untouched - {"label", "series", "outputs"})

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ("outputs.sge=true", "'outputs.sge'; did you mean seg"),
            ("thread=2", "'thread'; did you mean threads"),
            ("label", "write key=value"),
            ("=1", "write key=value"),
            ("a..b=1", "write key=value"),
            ("label.x=1", "--set label.x: 'label' has no keys"),
            ("organs=[a", "--set organs: "),
            ("rois.names=*a", "--set rois.names: "),
            ("application.version=2", "--set application.version: only the packager"),
            ("resources={cpu: 2}", "--set resources: only the packager"),
            ("device=gpu", "--set: device: "),
            ("label=", "--set: label: "),
        ],
    )
    def test_what_is_refused(self, change: str, named: str, tmp_path: Path) -> None:
        file = tmp_path / "app.yaml"
        file.write_text("label: SITE\n")
        with pytest.raises(ConfigurationError) as caught:
            load_settings(file, [change])
        assert caught.value.code == "SETTINGS"
        assert named in str(caught.value)

    def test_the_file_is_named_for_its_own_faults(self, tmp_path: Path) -> None:
        file = tmp_path / "app.yaml"
        file.write_text("labl: SITE\n")
        with pytest.raises(ConfigurationError, match=r"app\.yaml: unknown key 'labl'"):
            load_settings(file, ["label=x"])
