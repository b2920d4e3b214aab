"""The page of the node's jobs: states and allowed steps."""

from __future__ import annotations

from docs.generators import MADE
from oarflow.node.states import MEANINGS, TRANSITIONS, State

PAGE = f"""# Jobs of the node

{MADE}
A job is the work on one series from one sender. If the series changes after its delivery has
started, a new job begins, with the next version number. A step leads a job from one state to the
next. The database has a row for every step, with the time, the reason and the user who asked for
the step. `oarflow/node/states.py` has the table of states and steps.

## States

| state | meaning |
| --- | --- |
{{states}}

## How a run ends

| end of the run | next state |
| --- | --- |
{{ends}}

A restart of the node or of the scheduler does not count as an attempt. An operator may
[contour again](../how-to/web-page.md#actions-of-operators) a refused, failed, held or cancelled
study.

## Allowed steps

The database accepts no other step.

```mermaid
{{diagram}}
```
"""


ENDS = {
    "exit status 0": "`segmented`",
    "exit status 3": "`refused`",
    "exit status 4": "`held`",
    "exit status 2, time limit, memory limit": "`failed` at once, because a repeated run would end "
    "in the same way",
    "any other exit status, signal, result that cannot be used, lost worker": (
        "`queued` again. After `execution.attempts` runs: `failed`"
    ),
}


def pages() -> dict[str, str]:
    """Text of the page by its path below docs/reference."""
    states = "\n".join(f"| `{state}` | {MEANINGS[state]} |" for state in State)
    ends = "\n".join(f"| {end} | {state} |" for end, state in ENDS.items())
    return {"jobs.md": PAGE.format(states=states, ends=ends, diagram=diagram())}


def diagram() -> str:
    """The table of steps as a mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {name(State.RECEIVED)}"]
    for before in State:
        after = (state for state in State if state in TRANSITIONS[before])
        lines += [f"    {name(before)} --> {name(state)}" for state in after]
    return "\n".join(lines)


def name(state: State) -> str:
    """A state as mermaid takes it."""
    return state.replace(" ", "_")
