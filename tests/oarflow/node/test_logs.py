"""What libraries add to the node's log."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from oarflow.node import logs


def test_an_unawaited_error_of_a_library_is_one_line_without_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)

    async def start() -> None:
        raise RuntimeError("Nanny failed to start. Doe^Jane")

    async def main() -> None:
        task = asyncio.create_task(start())
        await asyncio.sleep(0)
        del task
        gc.collect()

    logs.set_up(logging.INFO)
    asyncio.run(main())
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("asyncio: Task exception was never retrieved (RuntimeError)")
