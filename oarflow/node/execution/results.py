"""Checks the results of a run, and derives the job's next state."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from oarflow.errors import ExitStatus
from oarflow.node.execution.order import End, RunOutcome
from oarflow.node.execution.reasons import RESULT_BYTES, reason_of
from oarflow.node.states import State
from oarflow.result import FILE_NAME, ResultDocument, ResultError, read_document


@dataclass(frozen=True)
class Conclusion:
    """The job's next state, with the reason. again: whether the run may be repeated."""

    state: State
    reason: str
    exit_status: int | None = None
    refusal: str = ""
    again: bool = False


class NotProven(Exception):
    """The results break the application's contract."""


def conclude(outcome: RunOutcome, series_uid: str) -> Conclusion:
    """Judge a run by its end and its results.

    series_uid: of the job. Results count only if they are of this series, and every file has the
    SHA-256 of result.json.
    """
    if outcome.end is not End.EXITED:
        return _not_exited(outcome)
    status = outcome.exit_status
    if status not in (ExitStatus.WRITTEN, ExitStatus.HELD, ExitStatus.REFUSED):
        return _failed(status, reason_of(Path(outcome.output)))
    try:
        result = prove(Path(outcome.output), series_uid)
        if result.exit_status != status:
            raise NotProven(f"result.json has exit status {result.exit_status}")
    except NotProven as error:
        reason = f"exit status {status}, but its results cannot be used: {error}"
        return Conclusion(State.FAILED, reason, status, again=True)
    return _of_result(result)


def _failed(status: int | None, said: str) -> Conclusion:
    """The job's state after a failed run. said: the application's reason, empty if none."""
    before = f"{said}; the application" if said else "the application"
    if status == ExitStatus.USAGE:
        words = f"{before} ended because of a wrong command or setting (exit status 2)"
        return Conclusion(State.FAILED, words, status)
    return Conclusion(State.FAILED, f"{before} failed (exit status {status})", status, again=True)


def _not_exited(outcome: RunOutcome) -> Conclusion:
    megabytes = outcome.peak_bytes >> 20
    said = {
        End.SIGNALLED: (f"the application was killed (signal {outcome.exit_status})", True),
        End.TIME_LIMIT: (f"stopped at the time limit after {outcome.seconds:.0f} s", False),
        End.MEMORY_LIMIT: (f"stopped at the memory limit with {megabytes} MB", False),
        End.STOPPED: ("the run was stopped", True),
        End.NOT_STARTED: ("the application could not be started", True),
    }
    reason, again = said[outcome.end]
    return Conclusion(State.FAILED, reason, again=again)


def _of_result(result: ResultDocument) -> Conclusion:
    status = result.exit_status
    if result.refusal is not None:
        code = str(result.refusal.code)
        refusal = result.refusal
        reason = f"{code}: {refusal.meaning} {refusal.remedy} ({refusal.detail})"
        return Conclusion(State.REFUSED, reason, status, code)
    written = sum(organ.status.written for organ in result.organs)
    reason = f"{written} of {len(result.organs)} organs contoured"
    if status == ExitStatus.HELD:
        return Conclusion(State.HELD, f"{reason}; {_doubts(result)}: a person must decide", status)
    return Conclusion(State.SEGMENTED, reason, status)


def _doubts(result: ResultDocument) -> str:
    """Why a study is held: the codes of its study flags, and the number of doubtful organs."""
    said = [f"study flag {flag.code}" for flag in result.study_flags]
    if doubted := sum(organ.status in ("suspicious", "failed") for organ in result.organs):
        said.append(f"organs suspicious or failed: {doubted}")
    return ", ".join(said) or "held by the application's settings"


def read_result(folder: Path) -> ResultDocument:
    """The result.json of a folder. Raises NotProven."""
    path = folder / FILE_NAME
    try:
        if path.stat().st_size > RESULT_BYTES:
            raise NotProven("result.json is too large")
        return read_document(path.read_bytes())
    except OSError as error:
        raise NotProven("there is no result.json") from error
    except ResultError as error:
        raise NotProven(str(error)) from error


def prove(folder: Path, series_uid: str) -> ResultDocument:
    """The result, after its files are checked and synced to disk. Raises NotProven."""
    result = read_result(folder)
    if result.exit_status == ExitStatus.REFUSED:
        if result.refusal is None:
            raise NotProven("refused without a reason")
    elif result.input is None or result.input.series_instance_uid != series_uid:
        raise NotProven("result.json names another series")
    elif not result.outputs:
        raise NotProven("result.json names no file")
    named = {FILE_NAME}
    for output in result.outputs:
        _check_file(folder, output.path, output.sha256)
        named.add(output.path)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.dcm")}
    if not found <= named:
        raise NotProven("there are DICOM files that result.json does not name")
    for name in named:
        _sync(folder / name)
    _sync(folder)
    _sync(folder.parent)
    return result


def _check_file(folder: Path, name: str, sha256: str) -> None:
    path = folder / name
    if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
        raise NotProven("a path leads out of the folder")
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NotProven("a file is missing") from error
    if found != sha256:
        raise NotProven("a file does not have the SHA-256 of result.json")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
