"""The card of an imported network in words, as Markdown."""

from __future__ import annotations

from jinja2 import Environment, StrictUndefined

from oarflow.networks.imported.card import ImportedCard, OrganLabels

PAGE = """# {{ card.name }}, network version {{ card.version }}

| | |
| --- | --- |
| role | segmenter, imported |
| organs | {{ card.organs | join(", ") }} |
| architecture | {{ card.architecture }}; {{ "{:,}".format(card.parameters) }} parameters; \
folds {{ card.folds | join(", ") }} |
| input | {{ card.dimensions }}-D, tiles of {{ card.patch | join(" x ") }} voxels |
| network spacing | {{ spacing }} mm |
| orientation | {{ card.orientation }}, {{ card.orientation_proof }} |
| normalization | {{ card.normalization.scheme }} |
| inference | {{ card.mode }}{{ ", in bfloat16 where the processor has it" if card.bfloat16 }} |
| sha256 | `{{ card.sha256 }}` |
| origin | {{ card.source.form }}: {{ card.source.origin }} |
| licence | {{ card.source.licence }}; commercial use: {{ card.source.commercial }} |

## Organs

| organ | labels | side |
| --- | --- | --- |
{% for contour in card.contours -%}
| {{ contour.organ }} | {{ words(contour) }} | {{ contour.side or "" }} |
{% endfor %}
## Files

| file | sha256 |
| --- | --- |
{% for file, digest in card.source.files.items() -%}
| {{ file }} | `{{ digest }}` |
{% endfor %}
## Verification
{% for found in card.verification %}
{{ found.against }} on {{ found.data }}
{% for organ, figures in found.figures.items() %}
- {{ organ }}: {% for name, value in figures.items() %}{{ "" if loop.first else ", " }}{{ name }} \
{{ "%.3f" % value }}{% endfor %}
{%- endfor %}
{% else %}
Not verified against the program that trained it.
{% endfor %}
{{ card.note }}

Research use only. A qualified person must review every contour.
"""


def imported_page(card: ImportedCard) -> str:
    """The card as Markdown: input, organs, origin and files."""
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    spacing = ", ".join(f"{step:g}" if step else "the slices'" for step in card.spacing_mm)

    def words(contour: OrganLabels) -> str:
        return ", ".join(f"{label} {card.labels[label]}" for label in contour.labels)

    page = environment.from_string(PAGE).render(card=card, spacing=spacing, words=words)
    return page.rstrip() + "\n"
