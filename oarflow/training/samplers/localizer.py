"""Batches for each kind of network, drawn from training cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oarflow.networks.card import Role
from oarflow.networks.sampling import centred_axis
from oarflow.training.augmentation import change_image, crop_field, lost_ends, lost_planes
from oarflow.training.batches import Batch, Sampler
from oarflow.training.cases import (
    Pose,
    TrainingCase,
    known_where,
    partly_labelled,
    require_labels,
    sample_ct,
    sample_ignored,
    sample_mask,
)
from oarflow.training.configuration import Configuration
from oarflow.training.regions import RegionSampler
from oarflow.training.slices import LabelledSliceSampler, WholeSliceSampler, scale_window
from oarflow.training.views import ViewSampler

SHARE_BEYOND = 0.25
"""Share of an organ's samples drawn beyond its ends."""

SHARE_ANYWHERE = 0.3
"""Share of the localizer's samples drawn anywhere in the patient."""

LABELLED = torch.ones(1, dtype=torch.bool)
"""The one organ of a sampler that draws only from patients who have its label."""

SHARE_CROPPED = 0.10
SHARE_LOST_PLANES = 0.10


class PlaneSampler:
    """Planes of one organ for its 2-D network: jittered centres, planes beyond both ends."""

    def __init__(self, cases: Sequence[TrainingCase], configuration: Configuration) -> None:
        self._organ = configuration.organs[0]
        self._cases = [case for case in cases if self._organ in case.masks]
        if not self._cases:
            raise ValueError(f"no training case has {self._organ}")
        self._centres = [case.centroid_mm(self._organ) for case in self._cases]
        self._ranges = [case.range_mm(self._organ) for case in self._cases]
        self._configuration = configuration
        self._partly = partly_labelled(self._cases)
        _, height, width = configuration.patch_voxels
        self._y = centred_axis(0.0, height, configuration.spacing_mm[1])
        self._x = centred_axis(0.0, width, configuration.spacing_mm[2])
        self._z = np.asarray(configuration.offsets_mm)

    def draw(self, random: np.random.Generator) -> Batch:
        drawn = [self._draw_one(random) for _ in range(self._configuration.batch)]
        inputs, targets, known = (torch.stack(list(part)) for part in zip(*drawn, strict=True))
        return Batch(inputs, targets, known)

    def _draw_one(self, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        number = int(random.integers(len(self._cases)))
        case = self._cases[number]
        centre = self._centres[number] + random.normal(0, 1, 3) * self._configuration.jitter_mm
        centre[0] = self._plane(self._ranges[number], random)
        plain = self._configuration.augmentation == "none"
        pose = Pose.straight(centre) if plain else Pose.random(centre, random)
        planes = sample_ct(case, pose, (self._z, self._y, self._x))
        axes = (np.zeros(1), self._y, self._x)
        ignored = sample_ignored(case, pose, axes, partly=self._partly)[:, 0]
        masks = torch.cat((sample_mask(case, self._organ, pose, axes), ignored))
        if not plain:
            if random.random() < SHARE_CROPPED:
                planes, masks = crop_field(planes, masks, random)
            if random.random() < SHARE_LOST_PLANES:
                planes = lost_planes(planes, random)
            planes = change_image(planes, random)
        known = known_where(LABELLED, masks[1:])
        return scale_window(planes, self._configuration.window), masks[:1], known

    def _plane(self, ends: tuple[float, float], random: np.random.Generator) -> float:
        low, high = ends
        if random.random() < SHARE_BEYOND:
            beyond = random.uniform(0, self._configuration.beyond_mm)
            return float(low - beyond if random.random() < 0.5 else high + beyond)
        return float(random.uniform(low, high))


class BlockSampler:
    """Blocks of one organ for its 3-D network: jittered centres, along the whole organ."""

    def __init__(self, cases: Sequence[TrainingCase], configuration: Configuration) -> None:
        self._organ = configuration.organs[0]
        self._cases = [case for case in cases if self._organ in case.masks]
        if not self._cases:
            raise ValueError(f"no training case has {self._organ}")
        self._centres = [case.centroid_mm(self._organ) for case in self._cases]
        self._ranges = [case.range_mm(self._organ) for case in self._cases]
        self._configuration = configuration
        self._partly = partly_labelled(self._cases)
        z, y, x = (
            centred_axis(0.0, count, step)
            for count, step in zip(
                configuration.patch_voxels, configuration.spacing_mm, strict=True
            )
        )
        self._axes = (z, y, x)

    def draw(self, random: np.random.Generator) -> Batch:
        drawn = [self._draw_one(random) for _ in range(self._configuration.batch)]
        inputs, targets, known = (torch.stack(list(part)) for part in zip(*drawn, strict=True))
        return Batch(inputs[:, None], targets, known)

    def _draw_one(self, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        number = int(random.integers(len(self._cases)))
        case = self._cases[number]
        centre = self._centres[number].copy()
        centre[0] = self._height(self._ranges[number], random)
        centre = centre + random.normal(0, 1, 3) * self._configuration.jitter_mm
        plain = self._configuration.augmentation == "none"
        pose = Pose.straight(centre) if plain else Pose.random(centre, random)
        block = sample_ct(case, pose, self._axes)
        ignored = sample_ignored(case, pose, self._axes, partly=self._partly)
        masks = torch.cat((sample_mask(case, self._organ, pose, self._axes)[None], ignored))
        if not plain:
            if random.random() < SHARE_CROPPED:
                block, masks = crop_field(block, masks, random)
            if random.random() < SHARE_LOST_PLANES:
                block, masks = lost_ends(block, masks, random)
            block = change_image(block, random)
        known = known_where(LABELLED, masks[1:])
        return scale_window(block, self._configuration.window), masks[:1], known

    def _height(self, ends: tuple[float, float], random: np.random.Generator) -> float:
        """The block's middle along z: the organ's own where it fits, anywhere along it else."""
        low, high = ends
        play = (high - low - self._configuration.patch_mm[0]) / 2 + self._configuration.beyond_mm
        return (low + high) / 2 + float(random.uniform(-1, 1)) * max(0.0, play)


class LocalizerSampler:
    """Planes or blocks for a localizer, or for a segmenter of several organs on whole slices.

    Each organ comes equally often, labelled or not.
    """

    def __init__(self, cases: Sequence[TrainingCase], configuration: Configuration) -> None:
        self._cases = cases
        self._organs = configuration.organs
        require_labels(cases, self._organs)
        self._with = {organ: [c for c in cases if organ in c.masks] for organ in self._organs}
        self._configuration = configuration
        self._partly = partly_labelled(cases)
        depth, height, width = configuration.patch_voxels
        self._y = centred_axis(0.0, height, configuration.spacing_mm[1])
        self._x = centred_axis(0.0, width, configuration.spacing_mm[2])
        if configuration.dimensions == 2:
            self._z = np.asarray(configuration.offsets_mm)
            self._z_target = np.zeros(1)
        else:
            self._z = self._z_target = centred_axis(0.0, depth, configuration.spacing_mm[0])
        self._centres: dict[str, NDArray[np.float64]] = {}

    def draw(self, random: np.random.Generator) -> Batch:
        first = int(random.integers(len(self._organs)))
        triples = [self._draw_one(first + k, random) for k in range(self._configuration.batch)]
        return Batch(
            torch.stack([image for image, _, _ in triples]),
            torch.stack([masks for _, masks, _ in triples]),
            torch.stack([known for _, _, known in triples]),
        )

    def _draw_one(self, number: int, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        organ = self._organs[number % len(self._organs)]
        some = self._with[organ]
        case = some[int(random.integers(len(some)))]
        centre = self._body_centre(case) + random.normal(0, 1, 3) * self._configuration.jitter_mm
        low, high = case.range_mm(organ)
        if random.random() < SHARE_ANYWHERE:
            low, high = 0.0, float(case.ct.shape[0] * case.spacing_mm[0])
        centre[0] = random.uniform(low - 10, high + 10)
        plain = self._configuration.augmentation == "none"
        pose = (
            Pose.straight(centre) if plain else Pose.random(centre, random, degrees=(6.0, 4.0, 4.0))
        )
        planes = sample_ct(case, pose, (self._z, self._y, self._x))
        masks, labelled = self._targets(case, pose)
        if not plain:
            planes, masks = self._damage(planes, masks, random)
            planes = change_image(planes, random)
        planes = scale_window(planes, self._configuration.window)
        if self._configuration.dimensions == 2:
            masks = masks[:, 0]
        else:
            planes = planes[None]
        count = len(self._organs)
        return planes, masks[:count], known_where(labelled, masks[count:])

    def _targets(self, case: TrainingCase, pose: Pose) -> tuple[Tensor, Tensor]:
        """(organs, z, y, x) shares, the unlabelled one behind them; (organs,) which are there."""
        axes = (self._z_target, self._y, self._x)
        labelled = torch.tensor([organ in case.masks for organ in self._organs])
        empty = torch.zeros(len(self._z_target), len(self._y), len(self._x))
        masks = [
            sample_mask(case, organ, pose, axes) if organ in case.masks else empty
            for organ in self._organs
        ]
        ignored = sample_ignored(case, pose, axes, partly=self._partly)
        return torch.cat((torch.stack(masks), ignored)), labelled

    def _damage(
        self, planes: Tensor, masks: Tensor, random: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        if random.random() < SHARE_CROPPED:
            flat = masks.reshape(-1, *masks.shape[2:])
            planes, flat = crop_field(planes, flat, random)
            masks = flat.reshape(masks.shape)
        if random.random() < 2 * SHARE_LOST_PLANES:
            if self._configuration.dimensions == 3:
                return lost_ends(planes, masks, random)
            planes = lost_planes(planes, random)
        return planes, masks

    def _body_centre(self, case: TrainingCase) -> NDArray[np.float64]:
        if case.name not in self._centres:
            inside = np.argwhere(case.ct[::4, ::2, ::2] > -300) * (4, 2, 2)
            self._centres[case.name] = np.asarray(inside.mean(axis=0) * case.spacing_mm)
        return self._centres[case.name].copy()


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
