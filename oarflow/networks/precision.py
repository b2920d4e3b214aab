"""Whether a processor multiplies in bfloat16."""

from __future__ import annotations

from functools import cache
from pathlib import Path

CPU_FACTS = Path("/proc/cpuinfo")
INSTRUCTIONS = frozenset({"avx512_bf16", "amx_bf16"})


@cache
def has_bfloat16() -> bool:
    """Whether the processor has instructions for it; False where that is not known."""
    try:
        facts = CPU_FACTS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    flags = next((line for line in facts.splitlines() if line.startswith("flags")), "")
    return not INSTRUCTIONS.isdisjoint(flags.split())
