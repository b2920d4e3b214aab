"""Standard output and error when their reader exits early, as in `oarflow node audit | head`."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _PipeWriter(io.RawIOBase):
    """A stream's file. Text is dropped once the reader has closed the pipe."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self.name = raw.name

    def write(self, data: ReadableBuffer) -> int:
        try:
            return self._raw.write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()


def ignore_closed_pipes() -> None:
    """Let the program finish with its own exit status although a reader has closed the pipe.

    Call it before anything is printed or logged. Streams that a test or a notebook replaced stay
    as they are; a closed stream (`>&-`) is redirected to /dev/null.
    """
    sys.stdout, sys.stderr = _writing_on(sys.stdout), _writing_on(sys.stderr)


def _writing_on(stream: TextIO | None) -> TextIO:
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if type(stream) is not io.TextIOWrapper:
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if not isinstance(raw, io.FileIO):
        return stream
    stream.flush()
    outliving = _PipeWriter(raw)
    unbuffered = stream.buffer is raw  # python -u
    return io.TextIOWrapper(
        cast(BinaryIO, outliving) if unbuffered else io.BufferedWriter(outliving),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
