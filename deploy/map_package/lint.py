"""The linter: every requirement of the specification 1.0.0 held against a package."""

from __future__ import annotations

from deploy.map_package.image_rules import IMAGE_RULES
from deploy.map_package.manifest_rules import MANIFEST_RULES
from deploy.map_package.rules import Compliance, Finding, Rule
from deploy.map_package.targets import Target

RULES: tuple[Rule, ...] = tuple(
    sorted((*IMAGE_RULES, *MANIFEST_RULES), key=lambda rule: "RHEFAPBX".index(rule.id[0]))
)
"""All requirements in the specification's order; X are OARflow's own."""


def lint(target: Target) -> tuple[Finding, ...]:
    """One finding for each rule."""
    return tuple(_finding(rule, target) for rule in RULES)


def _finding(rule: Rule, target: Target) -> Finding:
    if rule.check is None:
        return Finding(rule, Compliance.BY_RUN, rule.how)
    answer = rule.check(target)
    if answer is None:
        return Finding(rule, Compliance.UNKNOWN, "this target does not show it")
    if not answer:
        return Finding(rule, Compliance.MET, "")
    state = Compliance.VIOLATED if rule.level == "must" else Compliance.WARNING
    return Finding(rule, state, "; ".join(answer))
