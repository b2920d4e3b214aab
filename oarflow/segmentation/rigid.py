"""A rigid registration of two images, and the check that it must pass before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from oarflow.types import FloatArray

LEAST_OVERLAP = 0.6
"""Share of the MR's body that must come to lie within the CT."""

LEAST_GAIN = 0.02
"""Mutual information, in nats, by which the registration must beat where the MR lay before, unless
it lay there already."""

AT_HOME_MM = 3.0
"""An MR that the registration moves by less than this lay there already."""

LEAST_INFORMATION = 0.15
"""Mutual information in nats of two images that show the same."""

MOST_DEGREES = 30.0
"""No head is turned further between two scans."""

LEAST_BODY_DICE = 0.93
"""Agreement of both body masks within the MR's field of view."""


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
    """mr_to_ct: where the MR's points lie in the CT's patient space. What the check measured:
    information in nats after and before, overlap and body_dice 0 to 1, moved_mm of the MR's centre.
    """

    mr_to_ct: Rigid
    information: float
    information_before: float
    overlap: float
    body_dice: float
    moved_mm: float

    @property
    def trouble(self) -> str:
        """Why the registration must not be used; empty where nothing speaks against it."""
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
            return "the registration is no better than none"
        if self.body_dice < LEAST_BODY_DICE:
            return (
                f"the patient's outlines on MR and CT do not agree (Dice {self.body_dice:.2f}, "
                f"required {LEAST_BODY_DICE:.2f})"
            )
        return ""

    @property
    def measures(self) -> Mapping[str, float]:
        """What the check looked at, by name and unit."""
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
