"""A rigid registration of two images, and its check before use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from oarflow.types import FloatArray

LEAST_OVERLAP = 0.6
"""Least share of the MR's body within the CT."""

LEAST_GAIN = 0.02
"""Least gain of mutual information, in nats, over the MR's own position, unless the registration
hardly moves it."""

AT_HOME_MM = 3.0
"""A registration that moves the MR by less than this (mm) needs no gain."""

LEAST_INFORMATION = 0.15
"""Least mutual information, in nats, of two images of the same region."""

MOST_DEGREES = 30.0
"""Greatest rotation of a head between two scans, in degrees."""

LEAST_BODY_DICE = 0.93
"""Least Dice of both body masks within the MR's field of view."""


@dataclass(frozen=True, eq=False)
class Rigid:
    """A rigid map of patient space: point -> rotation @ point + translation, LPS in mm."""

    rotation: FloatArray
    translation: FloatArray

    def __call__(self, points: FloatArray) -> FloatArray:
        return np.asarray(points @ self.rotation.T + self.translation)

    @property
    def inverse(self) -> Rigid:
        return Rigid(self.rotation.T, -self.rotation.T @ self.translation)

    @property
    def degrees(self) -> float:
        """Angle of the rotation."""
        cosine = (np.trace(self.rotation) - 1) / 2
        return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


@dataclass(frozen=True, eq=False)
class Registration:
    """A registration with the measurements of its check.

    mr_to_ct: maps the MR's points to the CT's patient space. information: in nats, after and before
    the registration. overlap, body_dice: 0 to 1. moved_mm: of the MR's centre.
    """

    mr_to_ct: Rigid
    information: float
    information_before: float
    overlap: float
    body_dice: float
    moved_mm: float

    @property
    def trouble(self) -> str:
        """Why the registration must not be used; empty if it passes its check."""
        gained = self.information - self.information_before
        if self.mr_to_ct.degrees > MOST_DEGREES:
            return f"the MR would have to be turned by {self.mr_to_ct.degrees:.0f} degrees"
        if self.overlap < LEAST_OVERLAP:
            return (
                f"only {self.overlap:.0%} of the patient on the MR lies within the CT, "
                f"required {LEAST_OVERLAP:.0%}"
            )
        if self.information < LEAST_INFORMATION:
            return f"the images have too little in common ({self.information:.2f} nats)"
        if gained < LEAST_GAIN and self.moved_mm > AT_HOME_MM:
            return "the registration does not improve the alignment"
        if self.body_dice < LEAST_BODY_DICE:
            return (
                f"the patient's outlines on MR and CT do not agree (Dice {self.body_dice:.2f}, "
                f"required {LEAST_BODY_DICE:.2f})"
            )
        return ""

    @property
    def measures(self) -> Mapping[str, float]:
        """The check's measurements by name and unit."""
        return {
            "overlap_share": self.overlap,
            "rotation_degrees": self.mr_to_ct.degrees,
            "moved_mm": self.moved_mm,
            "information_nats": self.information,
            "body_dice": self.body_dice,
        }

    @property
    def summary(self) -> str:
        """One line for result.json."""
        return (
            f"MR registered: centre moved {self.moved_mm:.1f} mm, turned"
            f" {self.mr_to_ct.degrees:.1f} degrees, body outlines agree with Dice"
            f" {self.body_dice:.2f}"
        )
