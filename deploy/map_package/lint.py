"""The linter: checks a package against every requirement of the specification 1.0.0."""

from __future__ import annotations

from deploy.map_package.image_rules import IMAGE_RULES
from deploy.map_package.manifest_rules import MANIFEST_RULES
from deploy.map_package.rules import Compliance, PackageRule, RuleResult
from deploy.map_package.targets import Target

RULES: tuple[PackageRule, ...] = tuple(
    sorted((*IMAGE_RULES, *MANIFEST_RULES), key=lambda rule: "RHEFAPBX".index(rule.id[0]))
)
"""All requirements in the specification's order; X are OARflow's own."""


def lint(target: Target) -> tuple[RuleResult, ...]:
    """One finding for each rule."""
    return tuple(_finding(rule, target) for rule in RULES)


def _finding(rule: PackageRule, target: Target) -> RuleResult:
    if rule.check is None:
        return RuleResult(rule, Compliance.BY_RUN, rule.how)
    answer = rule.check(target)
    if answer is None:
        return RuleResult(rule, Compliance.UNKNOWN, "this target does not show it")
    if not answer:
        return RuleResult(rule, Compliance.MET, "")
    state = Compliance.VIOLATED if rule.level == "must" else Compliance.WARNING
    return RuleResult(rule, state, "; ".join(answer))
