"""One template, and the choice among several."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from oarflow.templates.rules import TemplateFacts, TemplateRule


class TemplateKeys(BaseModel):
    """The keys of a template that are no settings."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    about: Annotated[str, Field(max_length=200)] = ""
    """What the template is for, for people."""
    order: int = 0
    """Templates are tried in ascending order; those of the same order by name."""
    rules: tuple[TemplateRule, ...] = ()
    """Rules; the template is taken if one of them fits. The template without rules is the default:
    it is taken if no rule of any template fits."""


@dataclass(frozen=True)
class Template:
    """A template. name: its file's name without `.yaml`. settings: keys as in app.yaml."""

    name: str
    keys: TemplateKeys
    settings: Mapping[str, Any]

    @property
    def is_default(self) -> bool:
        """Whether the template is taken if no rule fits."""
        return not self.keys.rules

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of name, rules and settings, independent of comments and form."""
        rules = [rule.conditions for rule in self.keys.rules]
        content = [self.name, rules, self.settings]
        text = json.dumps(content, sort_keys=True, ensure_ascii=True, default=str)
        return hashlib.sha256(text.encode("ascii")).hexdigest()


@dataclass(frozen=True)
class TemplateChoice:
    """A template that was chosen. rule: the one that fits; None for the default."""

    template: Template
    rule: TemplateRule | None


@dataclass(frozen=True)
class TemplateSet:
    """The templates of a folder, in the order in which they are tried; the default is last.

    texts: content of each file by its name.
    """

    templates: tuple[Template, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)

    def choose(self, facts: TemplateFacts) -> TemplateChoice | None:
        """The first template with a rule that fits, else the default; None without either."""
        for template in self.templates:
            if template.is_default:
                return TemplateChoice(template, None)
            for rule in template.keys.rules:
                if not rule.unmet(facts):
                    return TemplateChoice(template, rule)
        return None

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of all files."""
        text = json.dumps(self.texts, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()
