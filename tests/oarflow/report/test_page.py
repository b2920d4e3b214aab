"""The page: all in one small file, nothing of the patient's identity, no foreign script."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from oarflow.networks.card import Validation
from oarflow.networks.store import ModelStore
from oarflow.report.content import (
    AGAINST_DERIVED,
    DERIVED_DICE,
    DERIVED_NOTE,
    STATUS_SIGNS,
    STATUS_WORDS,
    WARNING,
    ModelFigures,
    make_report,
    validation_figures,
)
from oarflow.report.page import PAGE_BYTES, write_report
from oarflow.report.scene import make_scene
from oarflow.report.strips import make_strips
from oarflow.result import ModelPart, OrganPart, SecondOpinionPart, TemplatePart
from oarflow.structures import OpinionVerdict, Status
from oarflow.volume import Volume
from tests.oarflow.report import cases
from tests.oarflow.report.cards import card

FIGURES = {"Parotid_L": ModelFigures(0.834, 39, "OpenKBP")}


class Elements(HTMLParser):
    """Start tags with their attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in ("script", "style") and data.strip():
            self.raw.append((self.tags[-1][0], data))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    found = cases.volume()
    report = make_report(
        cases.result(found, partner=cases.NASTY), found, cases.structures(found), FIGURES
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(path, report)
    return path.read_text(encoding="utf-8")


def test_the_overview_says_what_became_of_every_organ(page: str) -> None:
    table = page[page.index('id="overview"') : page.index('id="viewer"')]
    assert table.index("Larynx") < table.index("Parotid_L") < table.index("Brainstem")
    for words in ("contoured, check first", "12.6 cc on 10 slices", "not in the scan"):
        assert words in table
    assert "0.83 (n = 39)" in table
    assert "not measured" in table
    assert "2 of 3 organs contoured. Check 1 of them first." in page


def test_every_status_has_words_and_a_sign() -> None:
    assert set(STATUS_WORDS) == set(STATUS_SIGNS) == set(Status)
    assert len(set(STATUS_WORDS.values())) == len(Status)


def test_untrusted_text_stays_text(page: str) -> None:
    elements = Elements(page)
    assert "onerror" not in {name for _, attributes in elements.tags for name in attributes}
    assert "img" not in {tag for tag, _ in elements.tags}
    assert not any("alert" in text for tag, text in elements.raw)
    assert "&lt;img src=x" in page


def test_the_policy_allows_this_very_script_and_style(page: str) -> None:
    elements = Elements(page)
    policy = next(
        a["content"] for t, a in elements.tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert (len(style), len(scripts)) == (1, 2)
    for text in (*style, *scripts):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_nothing_is_fetched(page: str) -> None:
    for tag, attributes in Elements(page).tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name)
            if value and tag != "meta":
                assert value.startswith(("#", "data:image/jpeg;base64,")), (tag, value[:40])
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in page
    assert "url(" not in page


def test_no_identity_leaves(page: str) -> None:
    assert "SECRET" not in page


def test_the_warning_stands_on_every_picture(page: str) -> None:
    tiles = page.count('<svg class="tile"')
    assert tiles == 12
    assert page.count(WARNING) >= tiles + 3


def test_every_tile_names_the_patients_sides(page: str) -> None:
    """x grows to the left in this volume: the picture's left edge is the patient's right."""
    pictures = re.findall(r'<div class="picture">.*?</div>', page, re.DOTALL)
    assert len(pictures) == page.count('<svg class="tile"') == 12
    for picture in pictures:
        assert re.findall(r'<span class="side[^>]*>(.)</span>', picture) == ["R", "L"]


def test_the_sides_follow_the_volume() -> None:
    found = cases.volume()
    turned = -found.grid.x_direction, -found.grid.y_direction  # about the long axis: prone
    grid = replace(found.grid, x_direction=turned[0], y_direction=turned[1])
    strips = make_strips(make_scene(replace(found, grid=grid), cases.structures(found)))
    assert {strip.sides for strip in strips} == {("L", "R")}


def test_a_figure_against_derived_labels_says_so(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    found = cases.volume()
    result = cases.learned_from_rules(cases.result(found), "Parotid_L")
    figures = {"Parotid_L": replace(FIGURES["Parotid_L"], data="nobody's contours", derived=True)}
    write_report(path, make_report(result, found, cases.structures(found), figures))
    page = path.read_text(encoding="utf-8")
    rows = page[page.index('id="overview"') : page.index('id="viewer"')].split("<tr")
    (row,) = (row for row in rows if "Parotid_L</a>" in row)
    assert f"<td>0.83 (n = 39) {AGAINST_DERIVED}</td>" in row
    assert f"<li>{DERIVED_NOTE}</li>" in row
    assert f"Parotid_L: {DERIVED_DICE}nobody&#39;s contours." in page
    assert not any(AGAINST_DERIVED in row for row in rows if "Larynx</a>" in row)


def test_the_localizer_stands_among_the_networks(page: str) -> None:
    provenance = page[page.index('id="provenance"') :]
    assert "Networks and rules that ran" in provenance
    for role in ("localizer", "segmenter"):
        assert re.search(rf"<dd>{role}; sha256 [0-9a-f]{{64}}", provenance)
    # Origin and licence: once for each network that ran, not for each organ.
    assert "; origin and licence not recorded</dd>" in provenance
    told = "origin: Somewhere &lt;b&gt;else&lt;/b&gt;; licence: CC BY-NC-SA 4.0, commercial use: no"
    assert page.count(told) == 1


def test_the_template_stands_in_the_run() -> None:
    template = TemplatePart(name="larynx", rule="station: CT", sha256="a" * 64)
    result = cases.refused().model_copy(update={"template": template})
    (run,) = [table for table in make_report(result).provenance if table.heading == "Run"]
    words = f"larynx (rule station: CT), sha256 {template.sha256}"
    assert ("Template", words) in run.lines


def test_a_refusal_is_told_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, make_report(cases.refused()))
    page = path.read_text(encoding="utf-8")
    reason = cases.refused().refusal
    assert reason is not None
    assert "The input was refused: NOT_CT." in page
    assert reason.remedy in page
    assert "3 files of MR &lt;/script&gt;" in page
    assert "script-src 'none'" in html.unescape(page)
    assert {tag for tag, _ in Elements(page).tags}.isdisjoint({"script", "img", "canvas"})


def test_a_noisy_study_of_200_slices_stays_small(tmp_path: Path) -> None:
    """512 x 512 of tissue with a noise of 25 HU: far worse to compress than a patient."""
    found = cases.volume((200, 50, 60))
    rng = np.random.default_rng(1)
    noise = rng.normal(40, 25, (8, 512, 512)).astype(np.float32)
    grid = cases.grid((200, 512, 512), pixel_mm=1.0)
    volume = Volume(np.tile(noise, (25, 1, 1)), grid, found.source)
    path = tmp_path / "report.html"
    write_report(path, make_report(cases.result(volume), volume, cases.structures(volume)))
    assert path.stat().st_size < PAGE_BYTES


def contoured_by(sha256: str, organ: str) -> OrganPart:
    model = ModelPart(name="test", version="1", sha256=sha256)
    return OrganPart(
        name=organ, status=Status.SEGMENTED, volume_cc=1.0, slices=1, seconds=0.0, model=model
    )


def test_figures_come_from_the_cards_of_the_networks_that_contoured() -> None:
    validation = Validation(
        data="OpenKBP", n={"Larynx": 39}, figures={"Larynx": {"dice_mean": 0.81}}
    )
    cards = [card(("Larynx", "Brainstem"), validation), card(("Parotid_L",), None)]
    organs = [contoured_by("0" * 64, organ) for organ in ("Larynx", "Brainstem", "Parotid_L")]
    cards[1] = cards[1].model_copy(update={"sha256": "1" * 64})
    assert validation_figures(cards, organs) == {"Larynx": ModelFigures(0.81, 39, "OpenKBP")}
    assert validation_figures(cards, [contoured_by("2" * 64, "Larynx")]) == {}


def test_the_shipped_cards_say_which_figures_are_against_derived_labels() -> None:
    store = ModelStore.open(Path(__file__).resolve().parents[3] / "models", device="cpu")
    cards = store.cards.values()
    organs = [contoured_by(card.sha256, organ) for card in cards for organ in card.organs]
    figures = validation_figures(cards, organs)
    derived = {organ for organ, found in figures.items() if found.derived}
    assert derived == {"Brain", "Lung_L", "Lung_R", "Lungs", "Trachea"}


def test_the_second_network_is_shown_with_its_figures() -> None:
    second = SecondOpinionPart(
        network=ModelPart(name="imported/other", version="1.2.0", sha256="d" * 64),
        verdict=OpinionVerdict.AGREES,
        volume_cc=30.0,
        mean_mm=1.24,
        hd95_mm=5.6,
        limit_mm=3.0,
        limit_measured=False,
        reason="",
        seconds=1.0,
    )
    nothing = second.model_copy(
        update={"verdict": OpinionVerdict.FOUND_NOTHING, "mean_mm": None, "volume_cc": 0.0}
    )
    failed = nothing.model_copy(
        update={"verdict": OpinionVerdict.FAILED, "reason": "network stopped with an error"}
    )
    part = contoured_by("0" * 64, "Larynx")
    part = part.model_copy(update={"second_opinions": (second, nothing, failed)})
    found = cases.result(cases.volume()).model_copy(update={"organs": (part,)})
    (row,) = make_report(found).rows
    assert row.details == (
        "Second network imported/other 1.2.0: mean surface distance 1.2 mm (limit 3.0 mm, a "
        "guess), HD95 5.6 mm.",
        "Second network imported/other 1.2.0: found nothing.",
        "Second network imported/other 1.2.0: network stopped with an error.",
    )


def test_a_derived_structure_shows_recipe_and_parents_and_no_dice() -> None:
    ring = OrganPart(
        name="Ring",
        status=Status.SEGMENTED,
        volume_cc=3.0,
        slices=10,
        seconds=0.1,
        parents=("Larynx", "Brain"),
        recipe="ring from 0 to 3 mm around Larynx, within Brain",
    )
    found = cases.result(cases.volume())
    report = make_report(found.model_copy(update={"organs": (*found.organs, ring)}))
    row = next(row for row in report.rows if row.part.name == "Ring")
    assert row.details == ("Ring from 0 to 3 mm around Larynx, within Brain.",)
    assert (row.network, row.dice) == ("made from Larynx, Brain", "")
