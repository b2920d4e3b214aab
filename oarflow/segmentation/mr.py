"""The study's MR on the CT's voxels, or the reason why it cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.networks.store import ModelStore
from oarflow.segmentation.registration import RegistrationError, on_ct, register, scaled_mr
from oarflow.types import FloatVoxels
from oarflow.volume import Volume


@dataclass(frozen=True, eq=False)
class RegisteredMr:
    """The study's MR, registered to the CT.

    values: (z, y, x) on the CT's voxels, scaled for networks (`scaled_mr`); None where the MR
    cannot be used. trouble: why not, in words; empty where the study has no MR. registration: the
    measurements of a failed registration's check; empty without a registration.
    """

    values: FloatVoxels | None = None
    trouble: str = ""
    registration: Mapping[str, float] = field(default_factory=dict)


NO_MR = RegisteredMr()


def registered(ct: Volume, mr: Volume) -> tuple[RegisteredMr, str]:
    """The MR on the CT's voxels, or why it cannot be used; and a remark for result.json."""
    try:
        found = register(ct, mr)
    except RegistrationError as error:
        return RegisteredMr(None, str(error)), str(error)
    if found.trouble:
        said = f"the MR's registration failed its check: {found.trouble}"
        return RegisteredMr(None, found.trouble, found.measures), said
    values = on_ct(scaled_mr(mr.hu), mr.grid, ct.grid, found.mr_to_ct)
    return RegisteredMr(values), found.summary


def mr_flags(mr: RegisteredMr, organs: Sequence[str], store: ModelStore) -> Iterator[Flag]:
    """The study's flag, if its MR cannot be used and a requested organ's network reads one."""
    wanted = [
        organ
        for organ in organs
        if organ in store.organs
        and store.rule(organ) is None
        and store.card(organ, mr=True).reads_mr
    ]
    if not mr.trouble or not wanted:
        return
    if mr.registration:
        yield Flag.of(
            FlagCode.MR_NOT_REGISTERED, reason=mr.trouble, organs=wanted, **mr.registration
        )
    else:
        yield Flag.of(FlagCode.MR_NOT_USED, reason=mr.trouble, organs=wanted)
