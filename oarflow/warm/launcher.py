"""Run as a script between a holder and its process: `launcher.py PARENT COMMAND...`.

The kernel ends the process with its holder, and prefers to end the process rather than the
holder if memory runs out. The script imports nothing of OARflow, to start fast.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
OOM_SCORE = "500"


def main() -> None:
    """Set both rules for this process, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123  (no pathlib: it slows each start)
            file.write(OOM_SCORE)
    except OSError:
        pass
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main()
