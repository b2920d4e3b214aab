"""The table of flags: each code is raised where it must be, and the page is the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.flags.codes import FlagCode, Scope
from oarflow.flags.flag import Flag
from oarflow.flags.page import flags_page
from oarflow.flags.table import FLAGS
from oarflow.structures import Status
from tests.oarflow.flags.provoked import PROVOKED

PAGE = Path(__file__).resolve().parents[3] / "docs" / "flags.md"


@pytest.mark.parametrize("code", PROVOKED, ids=str)
def test_a_ct_that_must_raise_it_does(
    code: FlagCode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [flag for flag in PROVOKED[code](tmp_path, monkeypatch) if flag.code is code]
    assert len(found) == 1
    assert found[0].scope is FLAGS[code].scope


def test_no_code_lacks_a_ct_that_raises_it() -> None:
    assert set(PROVOKED) == set(FlagCode) == set(FLAGS)


@pytest.mark.parametrize("code", FlagCode, ids=str)
def test_a_message_is_one_short_sentence(code: FlagCode) -> None:
    message = Flag.of(code, **FLAGS[code].example).message
    assert message[0].isupper() or message[0].isdigit()
    assert message.endswith(".")
    assert ". " not in message
    assert len(message) <= 130


@pytest.mark.parametrize("code", FlagCode, ids=str)
def test_a_row_says_what_it_does_to_an_organ(code: FlagCode) -> None:
    row = FLAGS[code]
    assert set(row.statuses) <= {status.value for status in Status}
    assert bool(row.statuses) == (row.scope is Scope.ORGAN)
    assert row.meaning
    assert row.check


def test_the_page_is_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == flags_page(), "run: oarflow codes --flags --markdown > docs/flags.md"
    assert all(text.count(f"| `{code}` |") == 1 for code in FlagCode)


@pytest.mark.parametrize(
    "values", [{}, {"volume_cc": 1.0}, {"volume_cc": 1, "limit_cc": 2, "x": 3}]
)
def test_a_flag_holds_the_values_of_its_row(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="VOLUME_HIGH has values volume_cc, limit_cc"):
        Flag.of(FlagCode.VOLUME_HIGH, **values)


def test_figures_are_rounded_and_lists_are_lists() -> None:
    flag = Flag.of(FlagCode.VOLUME_HIGH, volume_cc=62.04219, limit_cc=45)
    assert flag.values == {"volume_cc": 62.0422, "limit_cc": 45}
    cut = Flag.of(FlagCode.FIELD_OF_VIEW, sides=("inferior", "left"))
    assert cut.values == {"sides": ["inferior", "left"]}
    assert cut.short == "cut by the field of view: inferior, left"
    assert cut.brief == "FIELD_OF_VIEW inferior, left"


@pytest.mark.parametrize(
    ("mean_hu", "limit_hu", "said"),
    [
        (41.4, 40.6, "is 41.4 HU, usually at most 40.6 HU."),
        (41.44, 41.41, "is 41.44 HU, usually at most 41.41 HU."),
        (41.4, 39.6, "is 41 HU, usually at most 40 HU."),
    ],
)
def test_a_figure_never_reads_like_its_limit(mean_hu: float, limit_hu: float, said: str) -> None:
    flag = Flag.of(FlagCode.MEAN_HU, mean_hu=mean_hu, bound="at most", limit_hu=limit_hu)
    assert flag.message.endswith(said)
