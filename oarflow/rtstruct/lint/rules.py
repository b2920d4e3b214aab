"""The table of the linter's rules. docs/reference/rtstruct-findings.md is generated from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """ERROR: readers lose, misplace or refuse data, or the standard forbids it.
    WARNING: some systems fail on it. NOTE: a fact to know before use."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Rule:
    """One rule. row: of the known failures (lint.table.FAILURES), 0 where none fits."""

    severity: Severity
    row: int
    meaning: str
    remedy: str


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

RULES: dict[str, Rule] = {
    "UNREADABLE": Rule(
        _E, 0,
        "The file is damaged or not a DICOM RT Structure Set: readers see a part of it or nothing.",
        "Send the file again from its source as binary data. If that fails, export it again.",
    ),
    "CONTOURS_REFUSED": Rule(
        _E, 9,
        "Contours are damaged, or do not belong to exactly one region each.",
        "Export the structure set again. Do not use the contours that another reader shows.",
    ),
    "NO_PREAMBLE": Rule(
        _W, 0,
        "The preamble and the prefix DICM are missing: strict readers refuse the file.",
        "Write it again as a DICOM Part 10 file.",
    ),
    "NO_FILE_META": Rule(
        _W, 0,
        "The file meta group is missing: readers must guess the encoding.",
        "Write it again as a DICOM Part 10 file.",
    ),
    "SYNTAX_MISMATCH": Rule(
        _E, 0,
        "The encoding of the bytes differs from the Transfer Syntax UID.",
        "Correct the Transfer Syntax UID, or encode the file again.",
    ),
    "TRAILING_BYTES": Rule(
        _W, 0,
        "Zero bytes follow the data set: some readers treat the file as damaged.",
        "Remove the zero bytes.",
    ),
    "TAG_ORDER": Rule(
        _W, 0,
        "Elements are not in ascending order of their tags.",
        "Write the file again with a conforming tool.",
    ),
    "MODALITY_LIES": Rule(
        _E, 0,
        "Modality is not RTSTRUCT although the SOP class is RT Structure Set.",
        "Set Modality to RTSTRUCT: archives and planning systems select files by it.",
    ),
    "PIXEL_CENTRES": Rule(
        _W, 1,
        "All vertices lie on pixel centres: the outline was traced through the outermost pixels, "
        "half a pixel inside the region.",
        "Trace the outline along the pixels' edges. The volumes are some per cent too small.",
    ),
    "BEYOND_IMAGE": Rule(
        _E, 2,
        "Contours reach beyond their image: they are mirrored, shifted or of another series.",
        "Check orientation and frame of reference before use.",
    ),
    "OFF_PLANE": Rule(
        _E, 3,
        "Contours are not on the plane of the image that they name.",
        "Compute all three coordinates from Image Position (Patient) of that image.",
    ),
    "OFF_SLICE": Rule(
        _W, 3,
        "Contours are not on a slice of the CT: many systems shift or drop them.",
        "Draw on the slices' planes. Do not use Slice Location as a coordinate.",
    ),
    "NO_REFERENCED_FRAME": Rule(
        _E, 4,
        "Referenced Frame of Reference Sequence is missing: the contours refer to no series.",
        "Write frame, study, series and images of the CT.",
    ),
    "SEVERAL_FRAMES": Rule(
        _W, 4,
        "The file has several frames of reference: readers may use the wrong one.",
        "Use one structure set for each frame of reference.",
    ),
    "REGIONS_ON_OTHER_FRAME": Rule(
        _E, 4,
        "Regions have contours on a frame of reference that differs from that of the given CT "
        "(without CT: of most regions): some readers misplace them; OARflow leaves them out.",
        "Use one structure set for each frame of reference.",
    ),
    "ROI_FRAME_UNKNOWN": Rule(
        _E, 4,
        "Regions name no frame of reference, or one that the file does not reference.",
        "Set Referenced Frame of Reference UID of each region to the CT's.",
    ),
    "NO_FRAME_UID": Rule(
        _N, 4,
        "Frame of Reference UID is missing at the top level (optional, but some checkers need it).",
        "Write the CT's UID.",
    ),
    "NO_IMAGES_REFERENCED": Rule(
        _E, 4,
        "No image is listed under the referenced series.",
        "List all images of the series.",
    ),
    "CONTOUR_WITHOUT_IMAGE": Rule(
        _W, 4,
        "Contours name no image: readers must find their slice by position.",
        "Write a Contour Image Sequence with one item for each contour.",
    ),
    "CONTOUR_IMAGE_UNLISTED": Rule(
        _E, 4,
        "Contours name images that the referenced series do not list.",
        "List all images of the series.",
    ),
    "IMAGES_UNUSED": Rule(
        _N, 4,
        "Most of the referenced images have no contour: the regions cover little of the scan.",
        "Nothing, if that is intended.",
    ),
    "DANGLING_REFERENCES": Rule(
        _E, 4,
        "The file references images that are not in the given CT.",
        "Compare with the right CT. If it is this one, the references were damaged in transfer.",
    ),
    "FRAME_MISMATCH": Rule(
        _E, 5,
        "The frame of reference differs from that of the given CT.",
        "Do not show these contours on this CT without registration.",
    ),
    "PATIENT_MISMATCH": Rule(
        _E, 5,
        "Patient name or ID differs from the given CT.",
        "Find out whose contours these are.",
    ),
    "STUDY_MISMATCH": Rule(
        _W, 5,
        "Study Instance UID differs from the given CT: systems show two studies or refuse it.",
        "Write the structure set into the CT's study.",
    ),
    "SERIES_REUSED": Rule(
        _E, 5,
        "The structure set has the Series Instance UID of the images that it references.",
        "Give the structure set its own series.",
    ),
    "NESTED_CONTOURS": Rule(
        _W, 6,
        "Closed contours lie within others of the same region and slice: some readers, such as "
        "OARflow, treat them as holes, others fill them.",
        "Ask the sender whether they are holes. Write holes as keyholes.",
    ),
    "OVERLAPPING_CONTOURS": Rule(
        _W, 6,
        "Closed contours of the same region and slice cross: some readers, such as OARflow, join "
        "them, others subtract them.",
        "Join them into one outline.",
    ),
    "TOUCHING_CONTOURS": Rule(
        _N, 6,
        "Closed contours of the same region and slice touch each other: readers join them.",
        "Nothing; a single outline is equivalent.",
    ),
    "XOR_CONTOURS": Rule(
        _W, 6,
        "CLOSEDPLANAR_XOR is used: readers older than 2019 drop such regions without a message.",
        "Write keyholes for systems that may not support it.",
    ),
    "MIXED_HOLE_STYLES": Rule(
        _E, 6,
        "A region mixes CLOSED_PLANAR and CLOSEDPLANAR_XOR.",
        "Use one of the two throughout a region.",
    ),
    "KEYHOLES": Rule(
        _N, 6,
        "Contours repeat two or more vertices, as keyholes do (a channel joins outer and inner "
        "ring). If DOUBLE_POINTS is found too, the vertices may be mere duplicates.",
        "Nothing; some systems show the channel as a line.",
    ),
    "DS_TOO_LONG": Rule(
        _E, 7,
        "Decimal strings have more than 16 bytes: Eclipse logs each of them and may refuse them.",
        "Write at most 16 bytes, such as three decimals.",
    ),
    "VR_UNKNOWN": Rule(
        _E, 8,
        "Standard elements have VR UN, which happens to contours above 64 KiB: several readers "
        "drop them.",
        "Send the original in Implicit VR Little Endian, or simplify the contours.",
    ),
    "CONTOUR_OVER_64K": Rule(
        _W, 8,
        "The data of a contour exceed 65,534 bytes: it cannot be sent in Explicit VR without loss.",
        "Simplify the contour.",
    ),
    "ROI_NUMBERS": Rule(
        _E, 9,
        "Region numbers repeat, or the three sequences of regions do not match.",
        "Number regions uniquely, with one contour and one observation item for each.",
    ),
    "POINT_COUNT": Rule(
        _E, 9,
        "Number of Contour Points contradicts the data: the contour may be incomplete.",
        "Export the structure set again.",
    ),
    "GEOMETRIC_TYPE": Rule(
        _E, 9,
        "Contours have no geometric type, or one that DICOM does not define.",
        "Use CLOSED_PLANAR.",
    ),
    "TOO_FEW_POINTS": Rule(
        _E, 10,
        "Closed contours of fewer than three different points: readers crash or warn.",
        "Leave them out.",
    ),
    "POINTS_AND_LINES": Rule(
        _N, 10,
        "Some contours are points or open lines: they have no area.",
        "Nothing; masks do not include them.",
    ),
    "EMPTY_ROI": Rule(
        _W, 11,
        "Regions have no contour: some readers crash, others hide them.",
        "Leave empty regions out, or make sure that the receiver accepts them.",
    ),
    "EMPTY_CONTOUR_SEQUENCE": Rule(
        _E, 11,
        "A Contour Sequence has no item.",
        "Leave the sequence out (it must not be empty).",
    ),
    "TINY_CONTOURS": Rule(
        _W, 12,
        "Contours enclose almost no area: some readers then lose the rest of the slice.",
        "Drop specks before writing.",
    ),
    "SLICES_SKIPPED": Rule(
        _N, 13,
        "Slices between others of the same region have no contour.",
        "Check whether the gap is intended; readers do not interpolate.",
    ),
    "NOT_AXIAL": Rule(
        _N, 14,
        "Contours are not in a plane of constant z: they are of an oblique, sagittal or coronal "
        "series.",
        "Make sure that the receiver supports contours of such series.",
    ),
    "NOT_PLANAR": Rule(
        _E, 14,
        "Closed planar contours are not planar.",
        "Draw each contour in one plane.",
    ),
    "LABEL_LENGTH": Rule(
        _E, 15,
        "Structure Set Label is empty or longer than 16 characters: Eclipse refuses such files.",
        "Use 1 to 16 characters.",
    ),
    "NAME_LENGTH": Rule(
        _W, 15,
        "Region names are longer than 16 characters, or empty: some systems cut or refuse them.",
        "Use 1 to 16 characters (the standard allows 64).",
    ),
    "NAME_CLASH": Rule(
        _E, 16,
        "Region names are equal except for letter case.",
        "Give each region a unique name.",
    ),
    "NAME_CHARACTERS": Rule(
        _W, 16,
        "Region names have characters that fail in file names or imports.",
        "Use letters, digits and _ - + ~ ^, a letter first.",
    ),
    "TYPE_1_MISSING": Rule(
        _E, 17,
        "Required attributes are missing or empty (Type 1).",
        "Write them.",
    ),
    "TYPE_2_MISSING": Rule(
        _W, 17,
        "Required attributes that may be empty (Type 2) are missing: Eclipse reports errors.",
        "Write them, with an empty value where unknown.",
    ),
    "BAD_DATE": Rule(
        _W, 17,
        "Dates or times have an invalid format.",
        "Leave unknown dates empty.",
    ),
    "INTERPRETED_TYPE": Rule(
        _W, 18,
        "Regions have no interpreted type, or one that the standard does not define.",
        "Use ORGAN or another defined term.",
    ),
    "GENERATION_ALGORITHM": Rule(
        _N, 18,
        "Regions do not state whether a person or a program drew them.",
        "Write AUTOMATIC, SEMIAUTOMATIC or MANUAL.",
    ),
    "FIRST_POINT_REPEATED": Rule(
        _N, 19,
        "Contours repeat their first point at the end, contrary to the standard.",
        "Nothing; readers ignore the repeated point.",
    ),
    "DOUBLE_POINTS": Rule(
        _W, 19,
        "Contours hold the same point twice in a row.",
        "Remove the duplicates.",
    ),
    "CROSSING": Rule(
        _W, 19,
        "Contours cross themselves: readers fill them differently.",
        "Draw outlines that do not cross themselves.",
    ),
    "DUPLICATE_CONTOURS": Rule(
        _W, 19,
        "Contours repeat others of the same region: readers that combine by XOR lose both.",
        "Write each contour once.",
    ),
    "MANY_POINTS": Rule(
        _W, 19,
        "Contours have more points than some systems accept.",
        "Simplify within 0.1 mm.",
    ),
    "UID_INVALID": Rule(
        _E, 20,
        "UIDs are invalid, or the SOP Instance UID is that of an image.",
        "Use a valid UID of at most 64 characters for each object.",
    ),
    "META_UID_MISMATCH": Rule(
        _E, 20,
        "The file meta group names another instance or class than the data set.",
        "Write the same UIDs in both.",
    ),
    "CHARACTER_SET": Rule(
        _W, 21,
        "Text is not encoded in Specific Character Set (or none is given): names are unreadable.",
        "Declare the actual character set.",
    ),
    "APPROVED": Rule(
        _N, 22,
        "The structure set is marked APPROVED.",
        "Check that a qualified person approved it.",
    ),
    "REJECTED": Rule(
        _W, 22,
        "The structure set is marked REJECTED.",
        "Do not use it.",
    ),
    "APPROVAL_MISSING": Rule(
        _W, 22,
        "Approval Status is missing or not a defined term.",
        "Write UNAPPROVED.",
    ),
    "COLOUR": Rule(
        _W, 22,
        "Colours are not three whole numbers of 0 to 255.",
        "Correct the colours or leave them out.",
    ),
    "PRIVATE_ELEMENTS": Rule(
        _N, 22,
        "The file has private elements, which may hold names.",
        "Remove them before you share the file.",
    ),
    "NOT_FOR_CLINICAL_USE": Rule(
        _N, 22,
        "Names or descriptions state that the contours are not for clinical use.",
        "Do not use the contours clinically.",
    ),
    "PROFILE_NAME": Rule(_W, 15, "Names or label are longer than the profile allows.",
        "Shorten the names, or map them for that system."),
    "PROFILE_POINTS": Rule(_W, 19, "Contours have more points than the profile allows.",
        "Simplify the contours."),
    "PROFILE_HOLES": Rule(_W, 6, "Holes are written in another style than the profile's.",
        "Write holes in the profile's style."),
    "PROFILE_TYPES": Rule(_W, 18, "The profile does not list some regions' interpreted types.",
        "Use one of the profile's types."),
    "PROFILE_DECIMALS": Rule(_N, 7, "Coordinates have more decimals than the profile allows.",
        "Round the coordinates."),
}  # fmt: skip


@dataclass(frozen=True)
class LintFinding:
    """One broken rule. count: how often. where: places and figures in words, no patient data."""

    rule: str
    count: int
    where: str = ""

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise KeyError(self.rule)

    @property
    def severity(self) -> Severity:
        return RULES[self.rule].severity
