"""`oarflow train propose`: contours for fitting patients without drawn ones."""

from __future__ import annotations

import sys

from oarflow.errors import ConfigurationError
from oarflow.networks.store import ModelStore
from oarflow.training.commands.options import Options, open_data
from oarflow.training.data.proposals import propose, write_proposals


def run(options: Options) -> None:
    """Write what the models propose for the split's fitting patients, and count it.

    Raises ConfigurationError for organs that have no network in the folder.
    """
    data, organs = open_data(options), options.organs
    store = ModelStore.open(options.models, device="cpu")
    if unknown := [organ for organ in organs if organ not in store.organs]:
        message = f"{options.models} holds no network of {', '.join(unknown)}"
        raise ConfigurationError("USAGE", message)
    options.output.mkdir(parents=True, exist_ok=True)
    lacking, proposed = (dict.fromkeys(organs, 0) for _ in range(2))
    for case in data.read(data.split.fit, mr=store.reads_mr):
        masks = propose(case, store, organs)
        write_proposals(options.output / f"{case.name}.npz", masks)
        for organ in organs:
            lacking[organ] += organ not in case.masks
            proposed[organ] += organ in masks
    for organ, count in proposed.items():
        sys.stdout.write(
            f"{organ:14} proposed for {count} of {lacking[organ]} patients without a label of it\n"
        )
