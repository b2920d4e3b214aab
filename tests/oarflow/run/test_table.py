"""What a person reads at a terminal of 80 columns."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from oarflow.flags.codes import FlagCode, Scope
from oarflow.flags.flag import Flag
from oarflow.flags.table import FLAGS
from oarflow.organs import load_catalogue
from oarflow.result import OrganPart, ResultDocument, Run, TemplatePart
from oarflow.run import table
from oarflow.run.table import print_flags, print_result
from oarflow.structures import Status

RUN = Run(started="2026-01-02T03:04:05+00:00", seconds=1, stages={}, device="cpu", peak_memory_mb=1)
EXAMPLES = {code: Flag.of(code, **row.example) for code, row in FLAGS.items()}
OF_ORGANS = [flag for flag in EXAMPLES.values() if flag.scope is Scope.ORGAN]
LONGEST = max((organ.name for organ in load_catalogue()), key=len)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setattr(table, "rich_console", lambda stream: Console(file=stream, width=80))


def organ(name: str, *flags: Flag, status: Status = Status.SUSPICIOUS) -> OrganPart:
    return OrganPart(
        name=name, status=status, flags=flags, volume_cc=1234.5, slices=100, seconds=123.4
    )


def printed(*organs: OrganPart, study: tuple[Flag, ...] = ()) -> list[str]:
    stream = io.StringIO()
    print_result(ResultDocument(run=RUN, exit_status=0, organs=organs, study_flags=study), stream)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("flag", OF_ORGANS, ids=lambda flag: str(flag.code))
def test_one_flag_takes_one_line_and_is_not_cut(flag: Flag) -> None:
    lines = printed(organ("Glnd_Submand_L", flag))
    (line,) = [line for line in lines if "Glnd_Submand_L" in line]
    assert flag.brief in line
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", ["Parotid_L", LONGEST])
def test_an_organ_with_every_flag_takes_two_lines(name: str) -> None:
    lines = printed(organ(name, *OF_ORGANS), organ("Larynx", status=Status.SEGMENTED))
    first = next(k for k, line in enumerate(lines) if name in line)
    last = next(k for k, line in enumerate(lines) if "Larynx" in line)
    assert last - first == 2
    assert str(OF_ORGANS[0].code) in lines[first]
    assert max(map(len, lines)) <= 80


def test_three_flags_are_two_and_a_count() -> None:
    codes = (FlagCode.VOLUME_HIGH, FlagCode.UNSTABLE, FlagCode.MEAN_HU)
    lines = printed(organ("Parotid_L", *(EXAMPLES[code] for code in codes)))
    k = next(k for k, line in enumerate(lines) if "Parotid_L" in line)
    assert lines[k].rstrip().endswith("VOLUME_HIGH 62.0 cc")
    assert lines[k + 1].strip() == "UNSTABLE Dice 0.83 +1"


@pytest.mark.parametrize(
    ("rule", "words"), [("station: [red]", "(rule station: [red])"), (None, "(no rule fits)")]
)
def test_the_template_is_named(rule: str | None, words: str) -> None:
    stream = io.StringIO()
    template = TemplatePart(name="larynx", rule=rule, sha256="0" * 64)
    print_result(ResultDocument(run=RUN, exit_status=0, template=template), stream)
    assert stream.getvalue().splitlines()[0] == f"Template larynx {words}"


def test_the_study_s_flags_come_first() -> None:
    child = EXAMPLES[FlagCode.PATIENT_UNDER_18]
    lines = printed(organ("Parotid_L", status=Status.SEGMENTED), study=(child,))
    assert " ".join(lines[:2]) == f"Whole study: PATIENT_UNDER_18 {child.message}"


def test_every_flag_is_printed() -> None:
    stream = io.StringIO()
    print_flags(stream)
    assert all(code in stream.getvalue() for code in FlagCode)


def test_a_structure_shows_its_recipe_above_its_flags() -> None:
    part = organ("Ring_Cord", EXAMPLES[FlagCode.PARENT_SUSPICIOUS]).model_copy(
        update={"recipe": "ring from 5 to 15 mm around SpinalCord", "parents": ("SpinalCord",)}
    )
    lines = printed(part)
    first = next(k for k, line in enumerate(lines) if "Ring_Cord" in line)
    assert "ring from 5 to 15 mm" in lines[first]
    assert "PARENT_SUSPICIOUS SpinalCord" in lines[first + 1]
    assert max(map(len, lines)) <= 80
