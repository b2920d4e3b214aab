"""Checks of the templates that the application's settings name."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from oarflow.errors import ConfigurationError
from oarflow.node.doctor.application import WRITTEN_BY, answered
from oarflow.node.doctor.results import CheckResult, CheckStatus, bad, good
from oarflow.node.execution.application import asks_settings
from oarflow.node.settings import NodeSettings
from oarflow.node.templates.source import check, configured
from oarflow.templates.template import Template

PASSED = ("calling_ae", "called_ae")
"""The context that the node passes for the rules."""


def templates(settings: NodeSettings) -> Iterator[CheckResult]:
    """Every template is valid, and its rules read what the node passes."""
    execution = settings.execution
    if execution.config is None:
        yield from _unseen(settings)
        return
    try:
        found = configured(execution)
        if not found.templates:
            return
        check(execution, found)
    except ConfigurationError as error:
        remedy = "correct it; `oarflow config templates -c FILE` checks all templates"
        yield bad("templates", str(error), remedy)
        return
    yield good("templates", ", ".join(one.name for one in found.templates))
    for template in found.templates:
        yield from _misspelt(template)
        yield from _switched_off(template, settings)


def _unseen(settings: NodeSettings) -> Iterator[CheckResult]:
    """Templates of settings that the node does not read."""
    asking = asks_settings(settings.execution.command, None)
    document = None if asking is None else answered(asking)
    if document is not None and document.get("templates") is not None:
        yield bad(
            "templates",
            "the application's default settings name templates, which the node does not read",
            "name the settings file in execution.config",
        )


def _switched_off(template: Template, settings: NodeSettings) -> Iterator[CheckResult]:
    """Outputs that a template switches off although a destination gets them."""
    outputs = template.settings.get("outputs")
    if not isinstance(outputs, dict):
        return
    for name, destination in settings.delivery.destinations.items():
        for kind in destination.objects:
            key = WRITTEN_BY.get(kind)
            if key is not None and outputs.get(key) is False:
                yield CheckResult(
                    f"destination {name}",
                    CheckStatus.DOUBTFUL,
                    f"gets {kind}, which the template {template.name} switches off",
                    f"remove outputs.{key} from the template, or {kind} from `objects`",
                )


def _misspelt(template: Template) -> Iterator[CheckResult]:
    """Names of the context that are almost those that the node passes."""
    for number, rule in enumerate(template.keys.rules, start=1):
        for name in sorted(set(rule.context) - set(PASSED)):
            near = get_close_matches(name, PASSED, n=1)
            if near:
                yield CheckResult(
                    "templates",
                    CheckStatus.DOUBTFUL,
                    f"{template.name}: rule {number} reads {name}, which the node does not pass",
                    f"did you mean {near[0]}?",
                )
