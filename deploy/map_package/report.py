"""What the linter found, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.map_package.readers import HostVerdict
from deploy.map_package.rules import Compliance, RuleResult

_SHOWN = (Compliance.VIOLATED, Compliance.WARNING)


def as_document(
    target: Path, findings: Sequence[RuleResult], verdicts: Sequence[HostVerdict]
) -> dict[str, Any]:
    """A document for programs. passed: nothing is violated, and every host can run it."""
    return {
        "target": str(target),
        "specification": "MONAI Application Package 1.0.0",
        "passed": all(f.state is not Compliance.VIOLATED for f in findings)
        and all(verdict.works for verdict in verdicts),
        "requirements": [
            {
                "id": finding.rule.id,
                "level": finding.rule.level,
                "requirement": finding.rule.text,
                "state": finding.state.value,
                "detail": finding.detail,
            }
            for finding in findings
        ],
        "readers": [{"reader": v.reader, "works": v.works, "does": list(v.does)} for v in verdicts],
    }


def as_text(
    findings: Sequence[RuleResult], verdicts: Sequence[HostVerdict], everything: bool
) -> str:
    """A report for people: what is not met, or everything."""
    lines = [
        f"{finding.rule.id:4} {finding.state.value:16} {finding.rule.text}"
        + (f": {finding.detail}" if finding.detail else "")
        for finding in findings
        if everything or finding.state in _SHOWN
    ]
    counts = {state: sum(f.state is state for f in findings) for state in Compliance}
    lines.append(", ".join(f"{count} {state.value}" for state, count in counts.items() if count))
    for verdict in verdicts:
        lines.append(f"\n{verdict.reader}: {'runs it' if verdict.works else 'FAILS'}")
        lines.extend(f"  - {line}" for line in verdict.does)
    return "\n".join(lines) + "\n"
