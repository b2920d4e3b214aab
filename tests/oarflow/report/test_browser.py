"""The page in real Chromium: scrolled, switched, windowed; no network, no complaint."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oarflow.evaluation.review.scores import read_review
from oarflow.intake import read_volume
from oarflow.report.content import WARNING, make_report
from oarflow.report.page import write_report
from oarflow.rtstruct.reader import read_structure_set
from tests.oarflow.report import cases

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

SAMPLE = Path(__file__).resolve().parents[3] / "samples" / "openkbp_validation"
MIDDLE = 10
"""The slice at which the viewer opens: in the middle of what has most contours (5 to 14)."""


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = cases.volume()
    report = make_report(
        cases.result(found, partner=cases.NASTY), found, cases.structures(found), {}
    )
    written = tmp_path_factory.mktemp("page") / "report.html"
    write_report(written, report)
    return written


class Reader:
    """Somebody at the page, who notes every complaint and every request."""

    def __init__(self, page: object, path: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector('#canvas[data-ready="true"]')

    def press(self, *keys: str) -> None:
        self.page.focus("#canvas")
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def settle(self) -> None:
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    @property
    def caption(self) -> str:
        return self.page.inner_text("#readout").split(";")[0]

    @property
    def drawn(self) -> str:
        return self.page.get_attribute("#canvas", "data-drawn")

    @property
    def picture(self) -> np.ndarray:
        """uint8 (rows, columns, 3): what the viewer shows."""
        url = self.page.evaluate("document.getElementById('canvas').toDataURL('image/png')")
        image = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))
        return np.asarray(image.convert("RGB"))

    @property
    def mask(self) -> np.ndarray:
        """bool (rows, columns): where the picture has the parotid's colour."""
        red, green, blue = np.moveaxis(self.picture.astype(int), -1, 0)
        return (red > 200) & (green < 60) & (blue < 60)

    @property
    def red(self) -> int:
        """How many pixels have the parotid's colour."""
        return int(self.mask.sum())

    def grey(self, share_x: float, share_y: float) -> int:
        """Brightness at a point of the picture, as shares of its width and height."""
        picture = self.picture
        return int(picture[int(picture.shape[0] * share_y), int(picture.shape[1] * share_x), 0])


@contextmanager
def reading(browser: object, path: Path) -> Iterator[Reader]:
    """Open a page; at the end there was no complaint, and nothing but the page was asked for."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, accept_downloads=True)
    opened = Reader(context.new_page(), path)
    yield opened
    assert opened.complaints == []
    asked = [url for url in opened.requests if not url.startswith(("data:", "blob:"))]
    assert asked == [path.as_uri()]
    context.close()


@pytest.fixture
def reader(browser: object, path: Path) -> Iterator[Reader]:
    with reading(browser, path) as opened:
        yield opened


def test_it_opens_on_the_organs(reader: Reader) -> None:
    assert reader.caption == f"axial {MIDDLE + 1} of 24, 140.0 mm"
    assert reader.drawn == "AI_Parotid_L AI_Larynx"
    assert reader.red > 50
    label = reader.page.get_attribute("#canvas", "aria-label")
    assert "AI_Larynx" in label
    assert WARNING in label


def test_keys_change_the_slice(reader: Reader) -> None:
    reader.press("ArrowUp")
    assert reader.caption.startswith(f"axial {MIDDLE + 2} of 24")
    reader.press("PageDown", "ArrowDown")
    assert reader.caption.startswith("axial 1 of 24")
    assert reader.drawn == ""
    reader.press("End")
    assert reader.caption.startswith("axial 24 of 24")
    reader.press("ArrowUp")
    assert reader.caption.startswith("axial 24 of 24")
    reader.press("]")
    assert reader.drawn == "AI_Parotid_L AI_Larynx"


def test_the_wheel_and_the_slider_change_the_slice(reader: Reader) -> None:
    box = reader.page.locator("#canvas").bounding_box()
    reader.page.mouse.move(box["x"] + 100, box["y"] + 100)
    reader.page.mouse.wheel(0, 120)
    reader.page.wait_for_function(
        f"document.getElementById('slice').value === '{MIDDLE - 1}'", timeout=5000
    )
    reader.page.focus("#slice")
    reader.page.keyboard.press("Home")
    reader.settle()
    assert reader.caption.startswith("axial 1 of 24")


def test_organs_are_switched_off_and_on(reader: Reader) -> None:
    reader.press("n")
    before = reader.red
    reader.page.get_by_label("AI_Parotid_L", exact=True).uncheck()
    reader.settle()
    assert reader.drawn == "AI_Larynx"
    assert reader.red < before / 10
    reader.press("x")
    assert reader.drawn == ""
    reader.press("o")
    assert reader.drawn == "AI_Parotid_L AI_Larynx"
    assert reader.red == before


def test_windows_change_the_greys(reader: Reader) -> None:
    """40 HU: half grey in soft tissue and in brain, lighter where the window is that of air."""
    reader.press("x", "n")
    soft = reader.grey(0.5, 0.75)
    assert abs(soft - 127) <= 6
    reader.press("4")
    assert reader.grey(0.5, 0.75) > soft + 80
    assert reader.page.get_attribute('button.window:has-text("airway")', "aria-pressed") == "true"
    reader.page.fill("#level", "140")
    reader.page.fill("#width", "200")
    reader.page.keyboard.press("Tab")
    reader.settle()
    assert reader.grey(0.5, 0.75) <= 6
    assert reader.page.locator('button.window[aria-pressed="true"]').count() == 0


def test_other_planes_show_the_same_organs(reader: Reader) -> None:
    """Shown by its button, the organ lies in all three planes."""
    reader.page.get_by_role("button", name="Show AI_Parotid_L").click()
    reader.press("c")
    assert "coronal" in reader.caption
    assert "AI_Parotid_L" in reader.drawn
    assert reader.red > 100
    reader.press("s")
    assert "sagittal" in reader.caption
    assert reader.drawn == "AI_Parotid_L"
    reader.press("Home")
    assert reader.drawn == ""


def test_patients_left_is_on_the_right_and_the_head_is_up(reader: Reader) -> None:
    """Parotid_L: x of 20 to 40 mm, slices 6 to 15 of 24, so that 20 mm lie below, 36 mm above."""
    reader.press("n")
    columns = np.flatnonzero(reader.mask.any(axis=0))
    assert columns.min() > reader.mask.shape[1] / 2
    for plane in ("c", "s"):
        reader.page.get_by_role("button", name="Show AI_Parotid_L").click()
        reader.press(plane)
        rows = np.flatnonzero(reader.mask.any(axis=1))
        total = reader.mask.shape[0]
        assert rows.min() / total == pytest.approx(36 / 96, abs=0.02)
        assert rows.max() / total == pytest.approx(1 - 20 / 96, abs=0.02)


def test_zoom_makes_it_larger(reader: Reader) -> None:
    reader.press("n")
    before = reader.red
    reader.press("+")
    assert reader.red > before
    reader.press("0")
    assert reader.red == before


def test_a_tile_leads_to_its_slice(reader: Reader) -> None:
    reader.page.locator("button.jump").last.click()
    reader.settle()
    assert reader.caption.startswith(f"axial {cases.LAST + 1} of 24")


def test_keys_do_nothing_where_one_writes(reader: Reader) -> None:
    before = reader.caption
    reader.page.fill("#reviewer", "")
    reader.page.type("#reviewer", "csxo1")
    reader.settle()
    assert reader.caption == before
    assert reader.page.input_value("#reviewer") == "csxo1"


def test_the_review_is_saved_as_a_file(reader: Reader, tmp_path: Path) -> None:
    reader.page.fill("#reviewer", "AB")
    reader.page.check('input[name="score-Larynx"][value="1"]')
    reader.page.fill('input[name="comment-Larynx"]', "too long below; \u00e9")
    with reader.page.expect_download() as waiting:
        reader.page.get_by_role("button", name="Save the review").click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    assert path.suffix == ".json"
    assert json.loads(path.read_text(encoding="utf-8"))["rtstruct"] == cases.RTSTRUCT_UID
    review = read_review(path)
    assert review.reviewer == "AB"
    scores = {organ.name: (organ.score, organ.comment) for organ in review.organs}
    assert scores == {"Larynx": (1, "too long below; \u00e9"), "Parotid_L": (None, "")}
    assert reader.page.inner_text("#review-state") == "saved: 1 of 2 organs scored"


def test_the_sample_opens(browser: object, tmp_path: Path) -> None:
    """A real CT with the contours of its physicians."""
    volume = read_volume(SAMPLE / "ct").volume
    structures = read_structure_set(SAMPLE / "reference.dcm")
    path = tmp_path / "report.html"
    write_report(path, make_report(cases.result(volume), volume, structures))
    with reading(browser, path) as opened:
        assert " of 114, " in opened.caption
        opened.press("]", "c", "3", "End", "s", "Home", "a", "PageUp", "+", "0")
        opened.page.get_by_role("button", name="Show SpinalCord").click()
        opened.settle()
        assert "SpinalCord" in opened.drawn
