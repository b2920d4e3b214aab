"""A model card in words, as Markdown."""

from __future__ import annotations

from jinja2 import Environment, StrictUndefined

from oarflow.networks.cards import Card
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.imported.card_page import imported_page
from oarflow.networks.rule_card import RuleCard

PAGE = """# {{ card.name }}, network version {{ card.version }}

| | |
| --- | --- |
| role | {{ card.role }} |
| organs | {{ card.organs | join(", ") }} |
| architecture | {{ card.architecture }}; {{ "{:,}".format(card.parameters) }} parameters |
| input | {{ card.dimensions }}-D{{ " " ~ card.view if card.view }}, planes at {{ offsets }} mm, \
window {{ window }} HU |
| patch | {{ patch }} |
| network spacing | {{ spacing }} mm (z, y, x) |
| smoothness of the training images | {{ card.smoothness_mm | join(", ") }} mm (z, y, x; standard \
deviation of the blur) |
| threshold | {{ card.threshold }} |
| sha256 | `{{ card.sha256 }}` |
| trained on | {{ card.training.data }}: {{ card.training.cases }} patients |
| labels | {{ card.training.labels }} |
| training | {{ card.training.steps }} steps, {{ card.training.minutes }} minutes |
| commit | {{ card.training.commit }} |
{%- if card.training.recorded %}
| record | configuration, data and commit were recorded during the training |
{%- endif %}

## Validation
{% if card.validation %}
Measured on {{ card.validation.data }}.

| organ | n | {{ names | join(" | ") }} |
| --- | --- |{{ " --- |" * names | length }}
{% for organ in card.organs if organ in card.validation.figures -%}
| {{ organ }} | {{ card.validation.n[organ] }} |{% for name in names %} {{
"%.3f" % card.validation.figures[organ][name] }} |{% endfor %}
{% endfor -%}
{% elif card.role == "localizer" %}
A localization network makes no contours. [Localization networks
compared](../results/localizers.md) has its errors.
{% else %}
Not measured.
{% endif %}
{{ card.note }}

Research use only. A qualified person must review every contour.
"""


RULE_PAGE = """# {card.name}, version {card.version}

| | |
| --- | --- |
| role | {card.role}: `{card.rule}`, a part of the program; there is no network |
| organs | {organs} |
| contoured | {when} |

{card.note}

Research use only. A qualified person must review every contour.
"""


def _rule_page(card: RuleCard) -> str:
    """The card of a rule as Markdown."""
    when = "only where `organs` names it" if card.on_request else "by default"
    return RULE_PAGE.format(card=card, organs=", ".join(card.organs), when=when)


def card_page(card: Card | RuleCard) -> str:
    """The card as Markdown: input, training or origin, figures with n."""
    if isinstance(card, ImportedCard):
        return imported_page(card)
    if isinstance(card, RuleCard):
        return _rule_page(card)
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    figures = card.validation.figures if card.validation else {}
    extents = (f"{extent:g}" for extent in card.patch_mm if extent)
    page = environment.from_string(PAGE).render(
        card=card,
        names=list(next(iter(figures.values()), {})),
        offsets=", ".join(f"{channel.offset_mm:g}" for channel in card.channels),
        window=" to ".join(f"{edge:g}" for edge in card.channels[0].window),
        patch=" x ".join(extents) + " mm" if any(card.patch_mm) else "the whole volume",
        spacing=", ".join(f"{step:g}" if step else "the CT's own" for step in card.spacing_mm),
    )
    return page.rstrip() + "\n"
