"""Training patients with their MR on the CT's voxels, as the application registers it (HANSEG)."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from oarflow.datasets.cases import Case
from oarflow.segmentation.registration import RegistrationError, on_ct, register, scaled_mr
from oarflow.training.data.as_served import volume_of
from oarflow.training.data.cases import TrainingCase, training_case
from oarflow.volume import Volume

MR_FRAME = "1.2.3.0"
"""A frame of reference that is not the CT's: files of images do not say that they share one."""

LOGGER = logging.getLogger(__name__)


def case_with_mr(case: Case, excluded: Collection[str] = ()) -> TrainingCase:
    """A patient with the MR registered to the CT; without it where the registration fails."""
    made = training_case(case, excluded)
    return replace(made, mr=_mr_on_ct(case, made))


def _mr_on_ct(case: Case, made: TrainingCase) -> NDArray[np.float32] | None:
    image = case.mr
    if image is None:
        return None
    source = volume_of(made).source
    ct = Volume(case.ct.astype(np.float32), case.grid, source)
    uids = tuple(f"1.2.3.{k}" for k in range(image.grid.shape[0]))
    own = replace(source, sop_instance_uids=uids, frame_of_reference_uid=MR_FRAME)
    mr = Volume(image.voxels, image.grid, own)
    try:
        found = register(ct, mr)
        trouble = found.trouble
    except RegistrationError as error:
        trouble = str(error)
    if trouble:
        LOGGER.warning("%s: trained without its MR: %s", case.id, trouble)
        return None
    return on_ct(scaled_mr(mr.hu), mr.grid, ct.grid, found.mr_to_ct)
