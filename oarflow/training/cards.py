"""Validation figures into the model cards, and the cards as pages for people."""

from __future__ import annotations

import csv
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from oarflow.networks.card import CARD_NAME, ModelCard, Role, Validation, read_card, write_card

PAGE = """# {{ card.name }} {{ card.version }}

| | |
| --- | --- |
| role | {{ card.role }} |
| organs | {{ card.organs | join(", ") }} |
| architecture | {{ card.architecture }}; {{ "{:,}".format(card.parameters) }} parameters |
| input | {{ card.dimensions }}-D{{ " " ~ card.view if card.view }}, planes at {{ offsets }} mm, \
window {{ window }} HU |
| patch | {{ patch }} |
| network spacing | {{ spacing }} mm (z, y, x) |
| smoothness | {{ card.smoothness_mm | join(", ") }} mm (z, y, x) |
| threshold | {{ card.threshold }} |
| sha256 | `{{ card.sha256 }}` |
| trained on | {{ card.training.data }}: {{ card.training.cases }} patients, \
{{ card.training.labels }} |
| training | {{ card.training.steps }} steps, {{ card.training.minutes }} minutes |
| commit | {{ card.training.commit }} |
{%- if card.training.recorded %}
| record | configuration, data and commit as the training wrote them down |
{%- endif %}

## Validation
{% if card.validation %}
{{ card.validation.data }}

| organ | n | {{ names | join(" | ") }} |
| --- | --- |{{ " --- |" * names | length }}
{% for organ in card.organs if organ in card.validation.figures -%}
| {{ organ }} | {{ card.validation.n[organ] }} |{% for name in names %} {{
"%.3f" % card.validation.figures[organ][name] }} |{% endfor %}
{% endfor -%}
{% elif card.role == "localizer" %}
No contours to measure; how well it finds organs: [results/localizers.md](../results/localizers.md).
{% else %}
Not measured.
{% endif %}
{{ card.note }}

Research use only. Every contour is a proposal that a physicist reviews.
"""


def record_validation(scores: Path, models: Path, data: str) -> None:
    """Put mean, median, spread and least Dice, HD95 and n of scores.csv into the cards.

    scores: columns case, organ, dice, hd95_mm at least, as `oarflow evaluate chain` writes them.
    The localizer's card is left as it is.
    """
    dice: dict[str, list[float]] = defaultdict(list)
    distance: dict[str, list[float]] = defaultdict(list)
    with scores.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            dice[row["organ"]].append(float(row["dice"]))
            if row["hd95_mm"] not in ("", "nan", "inf"):
                distance[row["organ"]].append(float(row["hd95_mm"]))
    for path, card in _cards(models):
        organs = [organ for organ in card.organs if dice[organ]]
        if card.role is not Role.SEGMENTER or not organs:
            continue
        validation = Validation(
            data=data,
            n={organ: len(dice[organ]) for organ in organs},
            figures={organ: _figures(dice[organ], distance[organ]) for organ in organs},
        )
        write_card(card.model_copy(update={"validation": validation}), path)


def _figures(dice: list[float], distance: list[float]) -> dict[str, float]:
    figures = {
        "dice_mean": statistics.mean(dice),
        "dice_median": statistics.median(dice),
        "dice_sd": statistics.stdev(dice) if len(dice) > 1 else 0.0,
        "dice_min": min(dice),
    }
    if distance:
        figures["hd95_mm_median"] = statistics.median(distance)
    return {name: round(value, 4) for name, value in figures.items()}


def write_pages(models: Path, output: Path) -> None:
    """One Markdown page a model in the output folder."""
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    template = environment.from_string(PAGE)
    output.mkdir(parents=True, exist_ok=True)
    for path, card in _cards(models):
        figures = card.validation.figures if card.validation else {}
        names = list(next(iter(figures.values()), {}))
        page = template.render(
            card=card,
            names=names,
            offsets=", ".join(f"{channel.offset_mm:g}" for channel in card.channels),
            window=" to ".join(f"{edge:g}" for edge in card.channels[0].window),
            patch="the whole volume"
            if not any(card.patch_mm)
            else " x ".join(f"{extent:g}" for extent in card.patch_mm if extent) + " mm",
            spacing=", ".join(f"{step:g}" for step in card.spacing_mm),
        )
        (output / f"{path.parent.name}.md").write_text(page.rstrip() + "\n", encoding="utf-8")


def _cards(models: Path) -> Iterator[tuple[Path, ModelCard]]:
    for path in sorted(models.glob(f"*/{CARD_NAME}")):
        yield path, read_card(path)
