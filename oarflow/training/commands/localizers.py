"""`oarflow train localizers`: compare localization networks on the tuning patients."""

from __future__ import annotations

from oarflow.training.commands.options import Options, open_data
from oarflow.training.tuning.localizers import write_localizers


def run(options: Options) -> None:
    """Compare the localization networks of several models folders on the tuning patients."""
    data = open_data(options)
    cases = data.keep(data.split.tune, options.output.parent)
    write_localizers(cases, options.models, options.output)
