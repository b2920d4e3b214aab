"""The sampler that goes with a configuration."""

from __future__ import annotations

from collections.abc import Sequence

from oarflow.networks.card import Role
from oarflow.training.configuration import Configuration
from oarflow.training.data.batches import Sampler
from oarflow.training.data.cases import TrainingCase
from oarflow.training.samplers.blocks import BlockSampler
from oarflow.training.samplers.labelled_slices import LabelledSliceSampler
from oarflow.training.samplers.localizer import LocalizerSampler
from oarflow.training.samplers.planes import PlaneSampler
from oarflow.training.samplers.regions import RegionSampler
from oarflow.training.samplers.views import ViewSampler
from oarflow.training.samplers.whole_slices import WholeSliceSampler


def sampler_for(cases: Sequence[TrainingCase], configuration: Configuration) -> Sampler:
    """The sampler that a configuration names, or that its role asks for."""
    if configuration.sampling == "labelled_slices":
        return LabelledSliceSampler(cases, configuration)
    if configuration.sampling == "whole_slices":
        return WholeSliceSampler(cases, configuration)
    if configuration.role is Role.VIEW:
        return ViewSampler(cases, configuration)
    if configuration.reads_blocks:
        return RegionSampler(cases, configuration)
    if configuration.role is Role.SEGMENTER and configuration.region in ("patch", "organ"):
        kind = PlaneSampler if configuration.dimensions == 2 else BlockSampler
        return kind(cases, configuration)
    return LocalizerSampler(cases, configuration)


def validation_sampler(cases: Sequence[TrainingCase], configuration: Configuration) -> Sampler:
    """The same samples as they are: no augmentation, no mixing."""
    return sampler_for(
        cases, configuration.model_copy(update={"augmentation": "none", "mixup": "none"})
    )
