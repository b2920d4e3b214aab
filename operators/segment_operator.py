"""Organ by organ: its network, its probability field, its status."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from oarflow.networks.store import ModelStore
from oarflow.segment import NO_MR, Segmenter
from operators.sdk import InputContext, OperatorSpec, OutputContext
from operators.stage import Stage


class SegmentOperator(Stage):
    """In: intake, localizations, and mr where a network of the store reads one.

    Out: segmentations (one Segmentation per organ asked for).

    organ_seconds: time limit of one organ, None for none. shifts: whether each network is asked
    twice, to say how steady its contour is.
    """

    stage = "segment"

    def __init__(
        self,
        fragment: Any,
        *args: Any,
        store: ModelStore,
        organs: Sequence[str],
        organ_seconds: float | None,
        shifts: bool,
        **kwargs: Any,
    ) -> None:
        self.store = store
        self.organs = tuple(organs)
        self.organ_seconds = organ_seconds
        self.shifts = shifts
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("intake")
        spec.input("localizations")
        if self.store.reads_mr:
            spec.input("mr")
        spec.output("segmentations")

    def work(self, op_input: InputContext, op_output: OutputContext) -> None:
        volume = op_input.receive("intake").volume
        localizations = op_input.receive("localizations")
        mr = op_input.receive("mr") if self.store.reads_mr else NO_MR
        segmenter = Segmenter(volume, localizations, self.store, mr, shifts=self.shifts)
        observer, total = self.journal.observer, len(self.organs)
        for number, organ in enumerate(self.organs, start=1):
            observer.organ_started(organ, number, total)
            limit = self.organ_seconds
            deadline = None if limit is None else time.monotonic() + limit
            result = segmenter.segment(organ, deadline)
            self.journal.record.keep(result)
            observer.organ_finished(result, number, total)
        op_output.emit(tuple(self.journal.record.segmentations.values()), "segmentations")
