"""`oarflow train tune`: score the models on the tuning patients."""

from __future__ import annotations

import csv
import statistics
import sys
from collections import Counter, defaultdict

from oarflow.networks.store import ModelStore
from oarflow.training.commands.options import Options, open_data
from oarflow.training.tuning.scores import COLUMNS, TunedOrgan, score_case


def run(options: Options) -> None:
    """Score the models on the split's tuning patients; the table goes to the output as CSV."""
    data, store = open_data(options), ModelStore.open(options.models, device="cpu")
    by_organ: dict[str, list[TunedOrgan]] = defaultdict(list)
    with options.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for case in data.read(data.split.tune, mr=store.reads_mr):
            for one in score_case(case, store, options.jitter):
                by_organ[one.score.organ].append(one)
                writer.writerow(one.row)
    for organ, found in by_organ.items():
        dices = [one.score.dsc for one in found]
        inside = statistics.mean(one.score.dsc_within for one in found)
        sys.stdout.write(
            f"{organ:14} n {len(dices):3}  Dice mean {statistics.mean(dices):.3f}"
            f" median {statistics.median(dices):.3f} min {min(dices):.3f}"
            f"  within the reference's slices {inside:.3f}\n"
        )
        lost = Counter(one.reason or one.status for one in found if not one.contoured)
        for reason, count in lost.most_common():
            sys.stdout.write(f"{'':14} not contoured in {count} of them: {reason}\n")
