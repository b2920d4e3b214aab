"""The page in real Chromium, served as the node serves it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.states import State
from oarflow.node.web import users
from oarflow.node.web.server import WebServer
from tests.oarflow.node.delivery import bench
from tests.oarflow.node.web import ward
from tests.oarflow.node.web.test_pages import NASTY, put

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

PICTURES = os.environ.get("OARFLOW_PICTURES")
"""Folder for the screenshots of docs/how-to/web-page.md; none are made without it."""

REPORT = """<!doctype html><title>report</title><p id="said">not run</p><script>
let words = "ran";
try { words += parent.document.title; } catch { words += ", alone"; }
try { words += document.cookie; } catch { words += ", no cookie"; }
document.getElementById("said").textContent = words;
</script>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@contextmanager
def served(context: NodeContext) -> Iterator[str]:
    """The node's page: its address."""
    server = WebServer(context)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


class Reader:
    """Somebody at a browser of their own, who notes every complaint."""

    def __init__(self, browser: Any, address: str, name: str) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 800})
        self.page = self.context.new_page()
        self.address = address
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.goto(address)
        self.picture("node-sign-in")
        self.page.fill("input[name=name]", name)
        self.page.fill("input[name=password]", ward.PASSWORDS[name])
        self.page.click("button:has-text('Sign in')")
        self.page.wait_for_selector("h1:has-text('Studies')")

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def picture(self, name: str) -> None:
        if PICTURES:
            self.page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)

    def close(self) -> None:
        assert self.complaints == []
        self.context.close()


def node(root: Path, **sections: Any) -> NodeContext:
    return ward.make_ward(root, web={"port": bench.free_port()}, **sections)


def test_progress_is_seen_while_it_happens(tmp_path: Path, browser: Any) -> None:
    context = node(tmp_path)
    for name, state, reason in [
        ("Phantom^Anna", State.DELIVERED, "delivered to tps"),
        ("Phantom^Bert", State.REFUSED, "1 gap in 113 slices (6 mm)"),
        ("Phantom^Cleo", State.HELD, "organs suspicious or failed: 1"),
    ]:
        job = bench.add_job(context, patient_name=name, patient_id="P-1")
        put(context, job, state, reason=reason)
    job_id = bench.add_job(context, patient_name="Phantom^Dora", patient_id="P-2")
    put(context, job_id, State.RUNNING, progress={"stage": "localize"}, reason="attempt 1")
    with served(context) as address:
        reader = Reader(browser, address, ward.VIEWER)
        row = reader.page.locator("tr", has_text="Dora")
        assert row.locator("[data-state]").inner_text() == "running"
        said = {"stage": "segment", "organ": "Parotid_R", "number": 5, "total": 8}
        put(context, job_id, State.RUNNING, progress=said)
        reader.page.wait_for_selector("text=Parotid_R, 5 of 8")
        assert row.locator("progress").get_attribute("value") == "50"
        reader.picture("node-list")
        put(context, job_id, State.DELIVERED, reason="delivered to share")
        reader.page.wait_for_selector("tr:has-text('Dora') .state.delivered")
        assert not row.locator("progress").is_visible()
        bench.add_job(context)
        reader.page.wait_for_selector("text=New studies arrived")
        reader.close()


def test_an_operator_sends_again_while_a_viewer_looks(tmp_path: Path, browser: Any) -> None:
    share = tmp_path / "share"
    context = node(tmp_path, delivery=bench.to_folder(share))
    job_id = bench.add_job(context, patient_name="Phantom^Anna", patient_id="P-1")
    key = bench.look(context, job_id).key
    with served(context) as address, bench.Running(context) as running:
        running.reaches(job_id, State.DELIVERED)
        next(share.iterdir()).unlink()
        operator = Reader(browser, address, ward.OPERATOR)
        viewer = Reader(browser, address, ward.VIEWER)
        for reader in (operator, viewer):
            reader.page.goto(f"{address}/studies/{key}")
        assert viewer.page.locator("text=Send again").count() == 0
        operator.page.click("button:has-text('Send again')")
        bench.until(lambda: list(share.glob("*.dcm")))
        for reader in (operator, viewer):
            reader.page.wait_for_selector("text=asked to send again")
            reader.page.wait_for_selector("h2:has-text('Deliveries')")
        operator.page.wait_for_selector("td:text-is('2')")
        operator.picture("node-study")
        assert operator.context.cookies() != viewer.context.cookies()
        operator.page.click("button:has-text('Sign out')")
        operator.page.wait_for_selector("text=Password")
        viewer.page.reload()
        viewer.page.wait_for_selector("text=Phantom Anna")
        operator.close()
        viewer.close()


def test_a_script_in_a_name_is_shown_as_text(tmp_path: Path, browser: Any) -> None:
    context = node(tmp_path)
    job_id = bench.add_job(context, patient_name=NASTY, description=NASTY)
    with served(context) as address:
        reader = Reader(browser, address, ward.OPERATOR)
        shown = NASTY.replace("^", " ")
        assert reader.page.locator("tbody th a").inner_text() == shown
        reader.page.click("tbody th a")
        assert reader.page.locator("h1").inner_text() == shown
        assert "Quux" not in reader.page.url
        put(context, job_id, State.FAILED, reason=NASTY)
        reader.page.wait_for_selector("[data-state]:has-text('failed')")
        assert reader.page.locator("[data-reason]").inner_text() == NASTY
        reader.close()


def test_the_report_runs_in_its_frame_and_reaches_nothing(tmp_path: Path, browser: Any) -> None:
    report = tmp_path / "report.html"
    report.write_text(REPORT)
    context = node(tmp_path)
    files = {"RTSTRUCT": bench.RTSTRUCT, "REPORT_HTML": report}
    job_id = bench.add_job(context, files=files)
    with served(context) as address:
        reader = Reader(browser, address, ward.VIEWER)
        reader.page.goto(f"{address}/studies/{bench.look(context, job_id).key}")
        reader.page.click("text=Report with viewer")
        said = reader.page.frame_locator("iframe").locator("#said")
        said.wait_for()
        assert said.inner_text() == "ran, alone, no cookie"
        reader.close()


def test_a_sign_in_that_was_ended_elsewhere_ends_here(tmp_path: Path, browser: Any) -> None:
    context = node(tmp_path)
    bench.add_job(context)
    with served(context) as address:
        reader = Reader(browser, address, ward.VIEWER)
        with context.database.write() as session:
            user = users.find(session, ward.VIEWER)
            assert user is not None
            users.end_sessions(session, user)
        reader.page.wait_for_selector("input[name=password]")
        assert "401" in reader.complaints.pop()
        reader.close()
