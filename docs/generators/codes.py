"""The page of reason codes."""

from __future__ import annotations

from docs.generators import MADE
from oarflow.errors import ExitStatus
from oarflow.reason_codes import REASONS, Reason
from oarflow.tables import markdown_table

PAGE = f"""# Reason codes

{MADE}
`oarflow codes` prints the same tables. [Exit statuses](exit-statuses.md) explains the statuses.

## Why an input is refused

`result.json` has the code under `refusal`. If several codes apply, the first in this table is the
refusal. The others are under `also`. No `.dcm` file is written.

{{refused}}
## Why a run does not start, or stops

Standard error has the code (`oarflow: CODE: ...`). No file is written.

{{others}}
"""


def pages() -> dict[str, str]:
    """Text of the page by its path below docs/reference."""
    refused = {code: r for code, r in REASONS.items() if r.status is ExitStatus.REFUSED}
    others = {code: r for code, r in REASONS.items() if code not in refused}
    text = PAGE.format(refused=table(refused), others=table(others))
    return {"reason-codes.md": text.rstrip("\n") + "\n"}


def table(rows: dict[str, Reason]) -> str:
    """Codes with exit status, meaning and remedy."""
    cells = [(f"`{code}`", one.status.value, one.meaning, one.remedy) for code, one in rows.items()]
    return markdown_table(("code", "exit status", "meaning", "what to do"), cells) + "\n"
