"""`oarflow train audit`: measurements of every label, and the labels that stand out."""

from __future__ import annotations

import sys

from oarflow.training.commands.options import Options, open_data
from oarflow.training.data.audit import measure_labels, outliers, write_measurements


def run(options: Options) -> None:
    """Measurements of every label as CSV, and those that stand out on standard output.

    All patients and labels of the folder, also those that the split leaves out.
    """
    labels = list(measure_labels(open_data(options).unsplit()))
    write_measurements(labels, options.output)
    for label, reason in outliers(labels):
        sys.stdout.write(f"{label.organ:14} {label.case:8} {reason}\n")
