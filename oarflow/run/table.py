"""Output at a terminal: the result of a run, the tables of codes and of flags."""

from __future__ import annotations

from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from oarflow.flags.flag import Flag
from oarflow.flags.table import FLAGS
from oarflow.reason_codes import REASONS
from oarflow.result import OrganPart, ResultDocument
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
    Status.NOT_DERIVED: "dim",
}


FLAG_LINES = 2
"""Most lines of flags per organ."""


def print_result(result: ResultDocument, stream: TextIO) -> None:
    """Print the result of a run as a table, or the reason of a refusal or fault."""
    console = rich_console(stream)
    if result.template:
        console.print(f"Template {_plain(result.template.words)}")
    for flag in result.study_flags:
        console.print(f"[bold yellow]Whole study: {flag.code}[/] {_plain(flag.message)}")
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
    """Print one line if no contours were written, otherwise nothing."""
    if result.refusal:
        stream.write(f"oarflow: refused: {result.refusal.code} ({shown(result.refusal.detail)})\n")
    if result.fault:
        stream.write(f"oarflow: fault: {result.fault.kind} {shown(result.fault.message)}\n")


def print_codes(stream: TextIO) -> None:
    """Print every code with its exit status, meaning and remedy."""
    table = Table("code", show_lines=True)
    table.add_column("exit status", justify="right")
    table.add_column("meaning")
    table.add_column("what to do")
    for code, reason in REASONS.items():
        status = str(reason.status.value)
        table.add_row(str(code), status, escape(reason.meaning), escape(reason.remedy))
    rich_console(stream).print(table)


def print_flags(stream: TextIO) -> None:
    """Print every flag with an example sentence and what to check."""
    table = Table("flag", "example", "check", show_lines=True)
    for code, row in FLAGS.items():
        table.add_row(code, escape(Flag.of(code, **row.example).message), escape(row.check))
    rich_console(stream).print(table)


def _organs(result: ResultDocument) -> Table:
    """The organs, with at most two short lines of flags; the report has full sentences."""
    table = Table("organ", "status", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("cc", justify="right")
    table.add_column("s", justify="right")
    table.add_column("flags", no_wrap=True)
    for organ in result.organs:
        style = _STYLES[organ.status]
        volume = f"{organ.volume_cc:.1f}" if organ.status.written else ""
        status = f"[{style}]{organ.status}[/]"
        flags = "\n".join(_plain(line) for line in flag_lines(organ))
        table.add_row(_plain(organ.name), status, volume, f"{organ.seconds:.1f}", flags)
    return table


def flag_lines(organ: OrganPart) -> list[str]:
    """The recipe of a structure; the flags as codes with their figures, in two lines at most."""
    recipe = [organ.recipe] if organ.recipe else []
    lines = [flag.brief for flag in organ.flags]
    if (rest := len(lines) - FLAG_LINES) > 0:
        lines = [*lines[: FLAG_LINES - 1], f"{lines[FLAG_LINES - 1]} +{rest}"]
    return [*recipe, *lines]


def _plain(text: str) -> str:
    """Text without rich's markup and without hidden characters."""
    return escape(shown(text))
