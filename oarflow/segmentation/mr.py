"""The study's MR on the CT's voxels, or the reason why no network can read it."""

from __future__ import annotations

from dataclasses import dataclass

from oarflow.segmentation.registration import RegistrationError, on_ct, register, scaled_mr
from oarflow.types import FloatVoxels
from oarflow.volume import Volume


@dataclass(frozen=True, eq=False)
class RegisteredMr:
    """The study's MR, registered to the CT.

    values: (z, y, x) on the CT's voxels, scaled as networks read them (`scaled_mr`); None where the
    MR cannot be used. trouble: why not, in words; empty where no MR was given.
    """

    values: FloatVoxels | None = None
    trouble: str = ""


NO_MR = RegisteredMr()


def registered(ct: Volume, mr: Volume) -> tuple[RegisteredMr, str]:
    """The MR on the CT's voxels, or why it cannot be used; and a remark for result.json."""
    try:
        found = register(ct, mr)
    except RegistrationError as error:
        return RegisteredMr(None, str(error)), str(error)
    if found.trouble:
        said = f"the MR's registration failed its check: {found.trouble}"
        return RegisteredMr(None, said), said
    values = on_ct(scaled_mr(mr.hu), mr.grid, ct.grid, found.mr_to_ct)
    return RegisteredMr(values), found.summary
