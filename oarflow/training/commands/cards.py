"""`oarflow train cards`: validation figures into the model cards, and the cards' pages."""

from __future__ import annotations

from oarflow.training.commands.options import Options
from oarflow.training.export.cards import record_validation, write_pages


def run(options: Options) -> None:
    """Put the scores, where there are some, into the cards; write a page a model."""
    if options.scores is not None:
        record_validation(options.scores, options.models, options.scored_on)
    write_pages(options.models, options.output)
