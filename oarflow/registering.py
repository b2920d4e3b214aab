"""The study's MR on the CT's voxels, or the reason why no network can read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.networks.store import ModelStore
from oarflow.registration import RegistrationError, on_ct, register, scaled_mr
from oarflow.segment import Mr
from oarflow.volume import Volume


def registered(ct: Volume, mr: Volume) -> tuple[Mr, str]:
    """The MR on the CT's voxels, or why it cannot be used; and a remark for result.json."""
    try:
        found = register(ct, mr)
    except RegistrationError as error:
        return Mr(None, str(error)), str(error)
    if found.trouble:
        said = f"the MR's registration failed its check: {found.trouble}"
        return Mr(None, found.trouble, found.measures), said
    values = on_ct(scaled_mr(mr.hu), mr.grid, ct.grid, found.mr_to_ct)
    return Mr(values), found.summary


def mr_flags(mr: Mr, organs: Sequence[str], store: ModelStore) -> Iterator[Flag]:
    """The study's flag where an MR was there, could not be used, and an organ was to have it."""
    wanted = [
        organ for organ in organs if organ in store.organs and store.card(organ, mr=True).reads_mr
    ]
    if not mr.trouble or not wanted:
        return
    if mr.registration:
        yield Flag.of(
            FlagCode.MR_NOT_REGISTERED, reason=mr.trouble, organs=wanted, **mr.registration
        )
    else:
        yield Flag.of(FlagCode.MR_NOT_USED, reason=mr.trouble, organs=wanted)
