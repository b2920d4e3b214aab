"""The facts about an organ that the writer needs, independent of a catalogue."""

from __future__ import annotations

from dataclasses import dataclass

MAX_NAME_LENGTH = 64
"""Greatest length of ROIName (VR LO); profiles allow less."""

INTERPRETED_TYPES = frozenset(
    {
        "",
        "AVOIDANCE",
        "BOLUS",
        "CAVITY",
        "CONTRAST_AGENT",
        "CONTROL",
        "CTV",
        "DOSE_REGION",
        "EXTERNAL",
        "FIXATION",
        "GTV",
        "IRRAD_VOLUME",
        "ORGAN",
        "PTV",
        "SUPPORT",
        "TREATED_VOLUME",
    }
)
"""RTROIInterpretedType (PS3.3 C.8.8.8.1): terms for regions with an area; empty: unknown."""


@dataclass(frozen=True)
class CodedConcept:
    """A coded concept: value, coding scheme designator (such as SCT) and meaning, all ASCII.

    modifier: a further concept that narrows it, usually the side.
    """

    value: str
    scheme: str
    meaning: str
    modifier: CodedConcept | None = None

    def __post_init__(self) -> None:
        if not (self.value.isascii() and 0 < len(self.value) <= 16):
            raise ValueError(f"code value {self.value!r} must have 1 to 16 ASCII characters")
        if not (self.scheme.isascii() and 0 < len(self.scheme) <= 16):
            raise ValueError(f"coding scheme {self.scheme!r} must have 1 to 16 ASCII characters")
        if not (self.meaning.isascii() and 0 < len(self.meaning) <= 64):
            raise ValueError(f"code meaning {self.meaning!r} must have 1 to 64 ASCII characters")


@dataclass(frozen=True)
class RoiSpec:
    """How an organ appears in a structure set.

    organ: catalogue name. name: in the planning system; DICOM allows any printable text without a
    backslash, profiles allow less. colour: red, green, blue, 0 to 255. code: of the organ, for
    RTROIIdentificationCodeSequence and SEG. minimum_island_cc: smaller parts are dropped, in cm3
    (0: none).

    Raises ValueError with the offending value.
    """

    organ: str
    name: str
    colour: tuple[int, int, int]
    code: CodedConcept | None = None
    interpreted_type: str = "ORGAN"
    minimum_island_cc: float = 0.0

    def __post_init__(self) -> None:
        if not self.name.isprintable() or "\\" in self.name or not self.name.strip():
            raise ValueError(
                f"ROI name {self.name!r} is empty or has a backslash or control character"
            )
        if self.name.strip() != self.name:
            raise ValueError(f"ROI name {self.name!r} begins or ends with a space")
        if len(self.name) > MAX_NAME_LENGTH:
            raise ValueError(f"ROI name {self.name!r} is longer than {MAX_NAME_LENGTH} characters")
        if len(self.colour) != 3 or not all(0 <= part <= 255 for part in self.colour):
            raise ValueError(
                f"colour {self.colour} of {self.organ} is not three numbers of 0 to 255"
            )
        if self.interpreted_type not in INTERPRETED_TYPES:
            raise ValueError(f"unknown interpreted type {self.interpreted_type!r} of {self.organ}")
        if not self.minimum_island_cc >= 0:
            raise ValueError(f"negative minimum island {self.minimum_island_cc} of {self.organ}")
