"""What a person reads at the end: organ, status, volume, seconds; and the table of reason codes."""

from __future__ import annotations

from typing import TextIO

from rich.markup import escape
from rich.table import Table

from oarflow.result import ResultDocument
from oarflow.run.codes import entries
from oarflow.run.console import rich_console
from oarflow.shown import shown
from oarflow.structures import Status

_STYLES = {
    Status.SEGMENTED: "green",
    Status.SUSPICIOUS: "bold yellow",
    Status.TRUNCATED: "yellow",
    Status.ABSENT: "dim",
    Status.FAILED: "bold red",
    Status.NO_MODEL: "dim",
}


def print_result(result: ResultDocument, stream: TextIO) -> None:
    """The end of a run in a table, or why there is none."""
    console = rich_console(stream)
    if result.organs:
        console.print(_organs(result))
    if result.refusal:
        refusal = result.refusal
        console.print(f"[bold red]Refused: {refusal.code}[/] ({_plain(refusal.detail)})")
        console.print(f"{refusal.meaning} {refusal.remedy}")
        for reason in refusal.also:
            console.print(f"Also: {reason.code} ({_plain(reason.detail)})")
    if result.fault:
        console.print(f"[bold red]Fault: {result.fault.kind}[/] {_plain(result.fault.message)}")
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in result.run.stages.items())
    console.print(
        f"{result.run.seconds:.1f} s ({stages}), {result.run.peak_memory_mb:.0f} MB, "
        f"device {result.run.device or 'none'}, exit status {result.exit_status}"
    )


def print_trouble(result: ResultDocument, stream: TextIO) -> None:
    """One line where no contours were written, nothing otherwise."""
    if result.refusal:
        stream.write(f"oarflow: refused: {result.refusal.code} ({shown(result.refusal.detail)})\n")
    if result.fault:
        stream.write(f"oarflow: fault: {result.fault.kind} {shown(result.fault.message)}\n")


def print_codes(stream: TextIO) -> None:
    """Every code with the exit status it ends in, what it means and what to do."""
    table = Table("code", show_lines=True)
    table.add_column("exit status", justify="right")
    table.add_column("meaning")
    table.add_column("what to do")
    for entry in entries():
        reason = entry.reason
        table.add_row(
            entry.code, str(entry.status.value), escape(reason.meaning), escape(reason.remedy)
        )
    rich_console(stream).print(table)


def _organs(result: ResultDocument) -> Table:
    table = Table("organ", "status")
    table.add_column("volume (cc)", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("remarks")
    for organ in result.organs:
        style = _STYLES[organ.status]
        volume = f"{organ.volume_cc:.1f}" if organ.status.written else ""
        remarks = "; ".join((*organ.flags, *organ.notes))
        status = f"[{style}]{organ.status}[/]"
        table.add_row(_plain(organ.name), status, volume, f"{organ.seconds:.1f}", _plain(remarks))
    return table


def _plain(text: str) -> str:
    """Text of others: neither markup nor hidden characters."""
    return escape(shown(text))
