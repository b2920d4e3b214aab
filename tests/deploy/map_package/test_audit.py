"""The audit says what an index knows of the pinned versions, and what it could not ask."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.app.workbench import REPOSITORY


def page(version: str, *vulnerabilities: dict[str, Any]) -> dict[str, Any]:
    return {"info": {"version": version}, "vulnerabilities": list(vulnerabilities)}


HOLE = {"id": "PYSEC-1", "fixed_in": ["1.1"], "withdrawn": None}
PAGES = {
    "/old/1.0/json": page("1.0", HOLE),
    "/old/json": page("2.0"),
    "/sound/json": page("3.0"),
    "/left/json": page("9.0", {**HOLE, "id": "PYSEC-9"}),
    "/taken-back/1.0/json": page("1.0", {**HOLE, "withdrawn": "2026-01-01T00:00:00Z"}),
}


class Index(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = PAGES.get(self.path)
        self.send_response(404 if found is None else 200)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def audit(tmp_path: Path, index: str, pins: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "pins.txt").write_text(pins)
    program = [sys.executable, str(REPOSITORY / "deploy" / "audit.py")]
    return subprocess.run(
        [*program, str(tmp_path / "pins.txt"), "--index", index],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_vulnerable_version_is_told_by_its_own_page(index: str, tmp_path: Path) -> None:
    ran = audit(tmp_path, index, "# pins==none\nold==1.0\nsound==3.0\n")
    assert ran.returncode == 1
    assert ran.stdout.splitlines() == [
        "VULNERABLE  old 1.0: PYSEC-1 (fixed in 1.1)",
        "2 of 2 audited, 1 with known vulnerabilities",
    ]


def test_the_newest_version_s_page_says_nothing_of_an_older(index: str, tmp_path: Path) -> None:
    ran = audit(tmp_path, index, "left==8.0\nunknown==1.0\ntaken-back==1.0\n")
    assert ran.returncode == 0
    assert ran.stdout.splitlines() == [
        "not audited left 8.0: the index has only the page of 9.0",
        "not audited unknown 1.0: the index does not know it",
        "1 of 3 audited, 0 with known vulnerabilities",
    ]


def test_an_index_out_of_reach_is_no_clean_bill(tmp_path: Path) -> None:
    ran = audit(tmp_path, "http://127.0.0.1:9", "sound==3.0\n")
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "cannot be asked" in ran.stderr
