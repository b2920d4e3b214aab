"""The study's MR, if there is one that fits: chosen, registered to the CT, checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oarflow.intake import Intake, SeriesRule
from oarflow.intake.mr import read_mr
from oarflow.registration import RegistrationError, on_ct, register, scaled_mr
from oarflow.segment import Mr
from oarflow.volume import Volume
from operators.sdk import InputContext, OperatorSpec, OutputContext
from operators.stage import Stage


class RegisterOperator(Stage):
    """In: intake. Out: mr (Mr).

    rule: which MR series is taken. In the graph only where a network reads an MR.
    """

    stage = "register"

    def __init__(self, fragment: Any, *args: Any, rule: SeriesRule, **kwargs: Any) -> None:
        self.rule = rule
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("intake")
        spec.output("mr")

    def work(self, op_input: InputContext, op_output: OutputContext) -> None:
        before: Intake = op_input.receive("intake")
        choice, intake = read_mr(before, self.rule)
        mr, remark = Mr(None, choice.trouble), choice.trouble
        if choice.volume is not None:
            mr, remark = registered(intake.volume, choice.volume)
        if mr.values is None:  # its files stay what they were: nobody used them
            intake = before
        if remark:
            intake = replace(intake, notes=(*intake.notes, remark))
        self.journal.record.intake = intake
        op_output.emit(mr, "mr")


def registered(ct: Volume, mr: Volume) -> tuple[Mr, str]:
    """The MR on the CT's voxels, or why it cannot be used; and a remark for result.json."""
    try:
        found = register(ct, mr)
    except RegistrationError as error:
        return Mr(None, str(error)), str(error)
    if found.trouble:
        said = f"the MR's registration failed its check: {found.trouble}"
        return Mr(None, said), said
    values = on_ct(scaled_mr(mr.hu), mr.grid, ct.grid, found.mr_to_ct)
    return Mr(values), found.summary
