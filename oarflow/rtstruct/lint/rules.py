"""The table of the linter's rules, from which docs/reference/rtstruct-findings.md is made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """ERROR: readers lose, misplace or refuse something, or the standard forbids it outright.
    WARNING: some systems trip over it. NOTE: worth knowing before the file is used."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Rule:
    """A rule. row: number of its known failure (`FAILURES` in table.py); 0 for encoding."""

    severity: Severity
    row: int
    meaning: str
    remedy: str


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

RULES: dict[str, Rule] = {
    "UNREADABLE": Rule(
        _E, 0,
        "The file is damaged, no DICOM, or no RT Structure Set: readers see part of it or nothing.",
        "Send it again from its source as binary data; if it fails again, export it anew.",
    ),
    "CONTOURS_REFUSED": Rule(
        _E, 9,
        "Contours are damaged or cannot be attributed to one region each.",
        "Export the structure set again; do not use what another reader makes of it.",
    ),
    "NO_PREAMBLE": Rule(
        _W, 0,
        "There is no preamble and 'DICM' prefix: a bare data set, which strict readers refuse.",
        "Write it again as a DICOM Part 10 file.",
    ),
    "NO_FILE_META": Rule(
        _W, 0,
        "There is no file meta group: the encoding has to be guessed.",
        "Write it again as a DICOM Part 10 file.",
    ),
    "SYNTAX_MISMATCH": Rule(
        _E, 0,
        "The bytes are encoded otherwise than the Transfer Syntax UID says.",
        "Correct the Transfer Syntax UID, or encode the file anew.",
    ),
    "TRAILING_BYTES": Rule(
        _W, 0,
        "Zero bytes follow the data set.",
        "Cut them off; some readers take them for damage.",
    ),
    "TAG_ORDER": Rule(
        _W, 0,
        "Elements are not in ascending order of their tags.",
        "Write the file again with a conforming tool.",
    ),
    "MODALITY_LIES": Rule(
        _E, 0,
        "Modality is not RTSTRUCT although the SOP class is RT Structure Set.",
        "Set Modality to RTSTRUCT: archives and planning systems select by it.",
    ),
    "PIXEL_CENTRES": Rule(
        _W, 1,
        "All vertices lie on pixel centres: the outline was traced through the outermost pixels, "
        "half a pixel inside the region.",
        "Have the outline cut between pixels; expect volumes some per cent too small.",
    ),
    "BEYOND_IMAGE": Rule(
        _E, 2,
        "Contours reach beyond the image that they lie on: mirrored, shifted or of another series.",
        "Check orientation and frame of reference before use.",
    ),
    "OFF_PLANE": Rule(
        _E, 3,
        "Contours lie off the plane of the image that they name.",
        "Take all three coordinates from Image Position (Patient) of that image.",
    ),
    "OFF_SLICE": Rule(
        _W, 3,
        "Contours lie on no slice of the CT: many systems shift or drop them.",
        "Draw on the slices' planes; Slice Location is not a coordinate.",
    ),
    "NO_REFERENCED_FRAME": Rule(
        _E, 4,
        "Referenced Frame of Reference Sequence is missing: nothing ties the contours to a series.",
        "Write frame, study, series and images of the CT.",
    ),
    "SEVERAL_FRAMES": Rule(
        _W, 4,
        "More than one frame of reference is named: readers that take one may take the wrong.",
        "Use one structure set for each frame of reference.",
    ),
    "REGIONS_ON_OTHER_FRAME": Rule(
        _E, 4,
        "Regions are tied to another frame of reference than the CT at hand, or else than most of "
        "the regions, or to several: readers of one frame misplace them, OARflow's leave them out.",
        "Use one structure set for each frame of reference.",
    ),
    "ROI_FRAME_UNKNOWN": Rule(
        _E, 4,
        "Regions name no frame of reference, or one that the file does not reference.",
        "Set Referenced Frame of Reference UID of each region to the CT's.",
    ),
    "NO_FRAME_UID": Rule(
        _N, 4,
        "There is no Frame of Reference UID at the top level (optional, but checkers ask for it).",
        "Write the CT's.",
    ),
    "NO_IMAGES_REFERENCED": Rule(
        _E, 4,
        "No image is listed under the referenced series.",
        "List all images of the series.",
    ),
    "CONTOUR_WITHOUT_IMAGE": Rule(
        _W, 4,
        "Contours name no image: readers have to find their slice by position.",
        "Write a Contour Image Sequence of one item for each contour.",
    ),
    "CONTOUR_IMAGE_UNLISTED": Rule(
        _E, 4,
        "Contours name images that the referenced series do not list.",
        "List all images of the series.",
    ),
    "IMAGES_UNUSED": Rule(
        _N, 4,
        "Most of the images referenced bear no contour: the regions cover little of the scan.",
        "Nothing, if that is so.",
    ),
    "DANGLING_REFERENCES": Rule(
        _E, 4,
        "Images are referenced that are not in the CT at hand.",
        "Compare with the right CT; if it is this one, the references were lost on the way.",
    ),
    "FRAME_MISMATCH": Rule(
        _E, 5,
        "The frame of reference is not that of the CT at hand.",
        "Do not show these contours on this CT without registration.",
    ),
    "PATIENT_MISMATCH": Rule(
        _E, 5,
        "Patient name or ID differs from the CT at hand.",
        "Find out whose contours these are.",
    ),
    "STUDY_MISMATCH": Rule(
        _W, 5,
        "Study Instance UID differs from the CT at hand: the study opens twice, or import refuses.",
        "Write the structure set into the CT's study.",
    ),
    "SERIES_REUSED": Rule(
        _E, 5,
        "The structure set claims a series that it also references as images.",
        "Give it a series of its own.",
    ),
    "NESTED_CONTOURS": Rule(
        _W, 6,
        "Closed contours lie within others of the same region and slice: some readers, OARflow's "
        "too, make holes of them, some fill them.",
        "Ask the sender what is meant; write holes as keyholes.",
    ),
    "OVERLAPPING_CONTOURS": Rule(
        _W, 6,
        "Closed contours of the same region and slice cross: added up by some readers, OARflow's "
        "too, cut out of each other by others.",
        "Join them into one outline.",
    ),
    "TOUCHING_CONTOURS": Rule(
        _N, 6,
        "Closed contours of the same region and slice touch each other: readers join them.",
        "Nothing; one outline would say the same.",
    ),
    "XOR_CONTOURS": Rule(
        _W, 6,
        "CLOSEDPLANAR_XOR is used: readers older than 2019 leave such regions out without a word.",
        "Write keyholes for systems not known to take it.",
    ),
    "MIXED_HOLE_STYLES": Rule(
        _E, 6,
        "A region mixes CLOSED_PLANAR and CLOSEDPLANAR_XOR.",
        "Use one of the two throughout a region.",
    ),
    "KEYHOLES": Rule(
        _N, 6,
        "Contours give two or more vertices twice, as keyholes do (a channel joins outer and inner "
        "ring); with DOUBLE_POINTS they may be mere doubles.",
        "Nothing; know that a channel may show on screen.",
    ),
    "DS_TOO_LONG": Rule(
        _E, 7,
        "Decimal strings of more than 16 bytes: Eclipse logs and may refuse each of them.",
        "Write at most 16 bytes, such as three decimals.",
    ),
    "VR_UNKNOWN": Rule(
        _E, 8,
        "Elements of the standard are stored as VR UN, as happens to contours over 64 KiB: several "
        "readers drop them.",
        "Send the original in Implicit VR Little Endian, or simplify the contours.",
    ),
    "CONTOUR_OVER_64K": Rule(
        _W, 8,
        "A contour's data exceed 65,534 bytes: it cannot be sent in Explicit VR without loss.",
        "Simplify it.",
    ),
    "ROI_NUMBERS": Rule(
        _E, 9,
        "Region numbers repeat, or the three sequences of regions do not match.",
        "Number regions uniquely, with one contour and one observation item for each.",
    ),
    "POINT_COUNT": Rule(
        _E, 9,
        "Number of Contour Points contradicts the data.",
        "Export again: the contour may be cut.",
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
        "Nothing; they do not become part of a mask.",
    ),
    "EMPTY_ROI": Rule(
        _W, 11,
        "Regions have no contour: some readers crash, others hide them.",
        "Leave empty regions out, or make sure the receiver takes them.",
    ),
    "EMPTY_CONTOUR_SEQUENCE": Rule(
        _E, 11,
        "A Contour Sequence is there and holds no item.",
        "Leave the sequence out (it may not be empty).",
    ),
    "TINY_CONTOURS": Rule(
        _W, 12,
        "Contours enclose next to nothing: some readers lose the rest of the slice with them.",
        "Drop specks before writing.",
    ),
    "SLICES_SKIPPED": Rule(
        _N, 13,
        "Slices between others of the same region have no contour.",
        "Check whether the region is meant to be interrupted; nothing is interpolated.",
    ),
    "NOT_AXIAL": Rule(
        _N, 14,
        "Contours lie in no plane of constant z: drawn on an oblique, sagittal or coronal series.",
        "Make sure the receiver takes contours of such series.",
    ),
    "NOT_PLANAR": Rule(
        _E, 14,
        "Closed contours do not lie in a plane.",
        "Closed planar contours have to.",
    ),
    "LABEL_LENGTH": Rule(
        _E, 15,
        "Structure Set Label is empty or longer than 16 characters: Eclipse refuses such files.",
        "Use 1 to 16 characters.",
    ),
    "NAME_LENGTH": Rule(
        _W, 15,
        "Region names are longer than 16 characters, or empty: systems cut or refuse them.",
        "Use 1 to 16 characters (64 by the standard).",
    ),
    "NAME_CLASH": Rule(
        _E, 16,
        "Region names are the same but for letter case.",
        "Name each region once.",
    ),
    "NAME_CHARACTERS": Rule(
        _W, 16,
        "Region names hold characters that break file names or imports.",
        "Use letters, digits and _ - + ~ ^, a letter first.",
    ),
    "TYPE_1_MISSING": Rule(
        _E, 17,
        "Required attributes are missing or empty (Type 1).",
        "Write them.",
    ),
    "TYPE_2_MISSING": Rule(
        _W, 17,
        "Required attributes are missing that may be empty (Type 2): Eclipse reports errors.",
        "Write them, empty where unknown.",
    ),
    "BAD_DATE": Rule(
        _W, 17,
        "Dates or times break their format.",
        "Leave unknown dates empty.",
    ),
    "INTERPRETED_TYPE": Rule(
        _W, 18,
        "Regions have no interpreted type, or one that the standard does not define.",
        "Use ORGAN, or the term that fits.",
    ),
    "GENERATION_ALGORITHM": Rule(
        _N, 18,
        "Regions do not say whether they were drawn by hand or by a program.",
        "Write AUTOMATIC, SEMIAUTOMATIC or MANUAL.",
    ),
    "FIRST_POINT_REPEATED": Rule(
        _N, 19,
        "Contours repeat their first point at the end, which the standard asks to leave out.",
        "Nothing; readers drop it.",
    ),
    "DOUBLE_POINTS": Rule(
        _W, 19,
        "Contours hold the same point twice in a row.",
        "Remove doubles.",
    ),
    "CROSSING": Rule(
        _W, 19,
        "Contours cross themselves: readers differ in what lies inside.",
        "Draw simple outlines.",
    ),
    "DUPLICATE_CONTOURS": Rule(
        _W, 19,
        "Contours repeat others of the same region: by exclusive or, some readers lose both.",
        "Write each contour once.",
    ),
    "MANY_POINTS": Rule(
        _W, 19,
        "Contours have more points than systems are known to take.",
        "Simplify within 0.1 mm.",
    ),
    "UID_INVALID": Rule(
        _E, 20,
        "UIDs break their rules, or the SOP Instance UID is that of an image.",
        "Use valid UIDs of 64 characters at most, one for each object.",
    ),
    "META_UID_MISMATCH": Rule(
        _E, 20,
        "The file meta group names another instance or class than the data set.",
        "Write both alike.",
    ),
    "CHARACTER_SET": Rule(
        _W, 21,
        "Text is not encoded as Specific Character Set says (or none is given): names get lost.",
        "Declare the character set in use.",
    ),
    "APPROVED": Rule(
        _N, 22,
        "The structure set is marked APPROVED: a person should have done that.",
        "Check who approved it.",
    ),
    "REJECTED": Rule(
        _W, 22,
        "The structure set is marked REJECTED.",
        "Do not use it.",
    ),
    "APPROVAL_MISSING": Rule(
        _W, 22,
        "Approval Status is missing or no defined term.",
        "Write UNAPPROVED.",
    ),
    "COLOUR": Rule(
        _W, 22,
        "Colours are not three whole numbers of 0 to 255.",
        "Correct or leave them out.",
    ),
    "PRIVATE_ELEMENTS": Rule(
        _N, 22,
        "There are private elements, which may hold anything, names included.",
        "Remove them before passing the file on.",
    ),
    "NOT_FOR_CLINICAL_USE": Rule(
        _N, 22,
        "Names or descriptions say that the contours are not for clinical use.",
        "Heed it.",
    ),
    "PROFILE_NAME": Rule(_W, 15, "Names or label are longer than the profile allows.",
        "Shorten them, or map them for that system."),
    "PROFILE_POINTS": Rule(_W, 19, "Contours have more points than the profile allows.",
        "Simplify them."),
    "PROFILE_HOLES": Rule(_W, 6, "Holes are written otherwise than the profile asks for.",
        "Write them in the profile's style."),
    "PROFILE_TYPES": Rule(_W, 18, "Interpreted types are none of the profile's.",
        "Use one of the profile's types."),
    "PROFILE_DECIMALS": Rule(_N, 7, "Coordinates have more decimals than the profile allows.",
        "Round them."),
}  # fmt: skip


@dataclass(frozen=True)
class LintFinding:
    """One rule broken. count: how often. where: places and figures in words, no patient data."""

    rule: str
    count: int
    where: str = ""

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise KeyError(self.rule)

    @property
    def severity(self) -> Severity:
        return RULES[self.rule].severity
