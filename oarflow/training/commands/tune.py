"""`oarflow train tune`: score the models on the tuning patients."""

from __future__ import annotations

import csv
import statistics
import sys
from collections import Counter, defaultdict
from dataclasses import astuple, fields

from oarflow.networks.store import ModelStore
from oarflow.training.commands.options import Options, open_data
from oarflow.training.tuning.scores import Score, score_case


def run(options: Options) -> None:
    """Score the models on the split's tuning patients; the table goes to the output as CSV."""
    data, store = open_data(options), ModelStore.open(options.models, device="cpu")
    by_organ: dict[str, list[Score]] = defaultdict(list)
    with options.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Score)])
        for case in data.read(data.split.tune, mr=store.reads_mr):
            for score in score_case(case, store, options.jitter):
                by_organ[score.organ].append(score)
                writer.writerow(astuple(score))
    for organ, scores in by_organ.items():
        dices = [score.dice for score in scores]
        inside = statistics.mean(score.dice_inside for score in scores)
        sys.stdout.write(
            f"{organ:14} n {len(dices):3}  Dice mean {statistics.mean(dices):.3f}"
            f" median {statistics.median(dices):.3f} min {min(dices):.3f}"
            f"  within the reference's slices {inside:.3f}\n"
        )
        lost = Counter(score.reason or score.status for score in scores if not score.contoured)
        for reason, count in lost.most_common():
            sys.stdout.write(f"{'':14} not contoured in {count} of them: {reason}\n")
