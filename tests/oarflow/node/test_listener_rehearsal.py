"""A rehearsal leaves nothing behind, and spares the first sender the wait for what is done once."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import event, func, select

from oarflow.node.database import Database
from oarflow.node.database.models import Base
from oarflow.node.listener.rehearsal import rehearse
from tests.oarflow.node.node_bench import Bench


def test_nothing_is_left_of_a_rehearsal(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    rehearse(bench.database)
    with bench.database.read() as session:
        for table in Base.metadata.sorted_tables:
            assert session.scalar(select(func.count()).select_from(table)) == 0, table.name
    assert list((bench.settings.storage.root / "incoming").iterdir()) == []


def test_every_statement_of_a_series_was_compiled_before(tmp_path: Path) -> None:
    """Of its first two instances, that is: those that follow are as the second one."""
    bench = Bench(tmp_path)
    rehearse(bench.database)
    fresh: list[str] = []

    def compiled(
        _c: object, _cur: object, text: str, _p: object, context: object, _m: object
    ) -> None:
        if getattr(context, "cache_hit", None).name == "CACHE_MISS":  # type: ignore[union-attr]
            fresh.append(text)

    event.listen(bench.database.engine, "before_cursor_execute", compiled)
    bench.send_series("a", range(2))
    assert fresh == []
    assert len(bench.instances()) == 2


def test_a_database_that_does_not_answer_is_no_fault_yet(tmp_path: Path) -> None:
    rehearse(Database(f"sqlite:///{tmp_path}/there/is/none.db"))
