"""The report's review, made and saved inside the node's page, in real Chromium."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oarflow.evaluation.review.scores import read_review
from oarflow.node.assembly.parts import NodeContext
from oarflow.report.content import make_report
from oarflow.report.page import write_report
from tests.oarflow.node.delivery import bench
from tests.oarflow.node.web import ward
from tests.oarflow.node.web.test_page_in_browser import CHROMIUM, Reader, browser, node, served
from tests.oarflow.report import cases

__all__ = ["browser"]

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


def reported(root: Path) -> tuple[NodeContext, str]:
    """A node with one study that has the application's own report; the study's key."""
    volume = cases.volume()
    report = root / "report.html"
    write_report(report, make_report(cases.result(volume), volume, cases.structures(volume), {}))
    context = node(root)
    files = {"RTSTRUCT": bench.RTSTRUCT, "REPORT_HTML": report}
    return context, bench.look(context, bench.add_job(context, files=files)).key


def fill(frame: Any) -> None:
    frame.locator("#reviewer").fill("AB")
    frame.locator('input[name="score-Larynx"][value="1"]').check()
    frame.locator('input[name="comment-Larynx"]').fill("too long below")


def assert_saved(waiting: Any, folder: Path) -> None:
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    assert json.loads(path.read_text(encoding="utf-8"))["rtstruct"] == cases.RTSTRUCT_UID
    review = read_review(path)
    assert review.reviewer == "AB"
    scores = {organ.name: (organ.score, organ.comment) for organ in review.organs}
    assert scores == {"Larynx": (1, "too long below"), "Parotid_L": (None, "")}


@pytest.mark.parametrize("by", ["button", "Enter key"])
@pytest.mark.parametrize("place", ["report", "report.html"])
def test_the_review_is_saved(tmp_path: Path, browser: Any, place: str, by: str) -> None:
    """In the frame of the study's page, and where somebody opens the frame alone."""
    context, key = reported(tmp_path)
    with served(context) as address:
        reader = Reader(browser, address, ward.VIEWER)
        reader.page.goto(f"{address}/studies/{key}/{place}")
        frame = reader.page.frame_locator("iframe") if place == "report" else reader.page
        fill(frame)
        with reader.page.expect_download(timeout=10_000) as waiting:
            if by == "button":
                frame.get_by_role("button", name="Save the review").click()
            else:
                frame.locator("#reviewer").press("Enter")
        assert_saved(waiting, tmp_path)
        assert frame.locator("#review-state").inner_text() == "saved: 1 of 2 organs scored"
        reader.close()


def test_who_leaves_an_unsaved_review_is_asked(tmp_path: Path, browser: Any) -> None:
    context, key = reported(tmp_path)
    with served(context) as address:
        reader = Reader(browser, address, ward.VIEWER)
        reader.page.goto(f"{address}/studies/{key}/report")
        frame = reader.page.frame_locator("iframe")
        fill(frame)
        asked: list[str] = []
        reader.page.remove_listener("dialog", reader._dialog)
        reader.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
        reader.page.click("text=Back to the study", no_wait_after=True)
        bench.until(lambda: reader.page.wait_for_timeout(50) or asked)
        assert asked == ["beforeunload"]
        assert reader.page.url.endswith("/report")
        assert frame.locator("#reviewer").input_value() == "AB"
        reader.close()


HOSTILE = """<!doctype html><title>report</title>
<form id="form" action="/sign-out" method="post" target="_top"><input name="a" value="b"></form>
<a id="top" href="/" target="_top">top</a><a id="new" href="/" target="_blank">new</a>
<p id="said"></p><script>
const said = [];
const attempt = (name, what) => {
  try { what(); said.push(name); } catch { said.push(`no ${name}`); }
};
attempt("storage", () => localStorage.length);
attempt("page", () => parent.document.title);
attempt("window", () => { if (!open("/")) throw new Error("none"); });
attempt("leave", () => { top.location = "/audit"; });
document.getElementById("form").submit();
document.getElementById("said").textContent = said.join(", ");
</script>"""


def test_the_frame_still_reaches_nothing(tmp_path: Path, browser: Any) -> None:
    """A form in it goes nowhere; neither windows nor the page round it nor its storage are open."""
    report = tmp_path / "report.html"
    report.write_text(HOSTILE)
    context = node(tmp_path)
    files = {"RTSTRUCT": bench.RTSTRUCT, "REPORT_HTML": report}
    key = bench.look(context, bench.add_job(context, files=files)).key
    with served(context) as address:
        reader = Reader(browser, address, ward.OPERATOR)
        posts: list[str] = []
        reader.page.on(
            "request", lambda one: posts.append(one.url) if one.method == "POST" else None
        )
        reader.page.goto(f"{address}/studies/{key}/report")
        frame = reader.page.frame_locator("iframe")
        said = frame.locator("#said")
        said.filter(has_text="leave").wait_for()
        assert said.inner_text() == "no storage, no page, no window, no leave"
        for link in ("#top", "#new"):
            frame.locator(link).click(no_wait_after=True)
        reader.page.wait_for_timeout(300)
        assert posts == []
        assert len(reader.context.pages) == 1
        assert reader.page.url == f"{address}/studies/{key}/report"
        reader.context.close()
