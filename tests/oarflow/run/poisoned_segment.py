"""The warm program of `segment`, which ends on one study: `poisoned_segment.py MARKS UID HOW`.

MARKS: a folder in which each order leaves a file, named by its number and study. UID: the study's.
HOW: the exit status, or a negative signal; 0 to hang.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from oarflow.commands import warm_segment
from oarflow.run.session import Session
from oarflow.run.signals import StopOnSignal

run = Session.run


def poisoned(self: Session, stop: StopOnSignal, each_study: bool = False) -> object:
    marks, uid, how = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    assert self.study is not None
    (marks / f"{time.monotonic_ns()}-{os.getpid()}-{self.study.uid}").touch()
    if self.study.uid == uid:
        (self.paths.output / "half.dcm").write_bytes(b"half")
        if how == 0:
            time.sleep(3600)
        os.kill(os.getpid(), -how) if how < 0 else os._exit(how)
    return run(self, stop, each_study)


if __name__ == "__main__":
    vars(sys.modules["oarflow.run.session"])["Session"].run = poisoned
    warm_segment.main()
