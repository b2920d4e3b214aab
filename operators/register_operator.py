"""Registers the study's MR to the CT and checks the registration."""

from __future__ import annotations

from operators.stage import Stage


class RegisterOperator(Stage):
    """Adds the MR on the CT's voxels. The graph has it only if a network reads an MR."""

    stage = "register"
