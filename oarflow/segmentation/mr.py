"""The study's MR on the CT's voxels, or the reason why no network can read it."""

from __future__ import annotations

from oarflow.segmentation.registration import RegistrationError, on_ct, register, scaled_mr
from oarflow.segmentation.segmenter import Mr
from oarflow.volume import Volume


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
