"""The study's MR, registered to the CT and checked."""

from __future__ import annotations

from operators.stage import Stage


class RegisterOperator(Stage):
    """Adds the MR on the CT's voxels. In the graph only where a network reads an MR."""

    stage = "register"
