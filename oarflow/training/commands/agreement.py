"""`oarflow train agreement`: compare two networks an organ on the tuning patients."""

from __future__ import annotations

from oarflow.networks.store import ModelStore
from oarflow.training.commands.options import Options, open_data
from oarflow.training.tuning.two_networks import write_two_networks


def run(options: Options) -> None:
    """Compare two models folders, organ by organ, on the split's tuning patients."""
    data = open_data(options)
    first, second = (ModelStore.open(folder, device="cpu") for folder in options.models)
    cases = data.read(data.split.tune, mr=first.reads_mr or second.reads_mr)
    write_two_networks(cases, first, second, options.output)
