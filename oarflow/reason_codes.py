"""The table of reason codes: the meaning of each code, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oarflow.errors import Code, ExitStatus


@dataclass(frozen=True)
class Reason:
    """One row: the meaning of a code, what to do, and the exit status."""

    meaning: str
    remedy: str
    status: ExitStatus = ExitStatus.USAGE


def _refusal(meaning: str, remedy: str) -> Reason:
    return Reason(meaning, remedy, ExitStatus.REFUSED)


REASONS: Mapping[str, Reason] = {
    Code.NO_FILES: _refusal(
        "The input folder holds no files.",
        "Check the path, and that the transfer into the folder has ended.",
    ),
    Code.ARCHIVE_UNREADABLE: _refusal(
        "The zip archive is damaged, encrypted, or compressed by an unsupported method.",
        "Pack the CT again as a plain zip without a password, or pass the unpacked folder.",
    ),
    Code.ARCHIVE_UNSAFE: _refusal(
        "The zip archive holds another archive, a link, a path that leads outside, or more data "
        "than the limits allow. No CT export needs these.",
        "Find out where the archive comes from. Unpack it with care, and pass the CT's folder.",
    ),
    Code.NO_DICOM: _refusal(
        "None of the files is readable DICOM.",
        "Export the planning CT as DICOM Part 10 files.",
    ),
    Code.NOT_CT: _refusal(
        "The input holds DICOM objects, but no CT image.",
        "Send the planning CT as CT Image Storage. Contours, plans, doses, other modalities and "
        "private objects of a scanner cannot be contoured.",
    ),
    Code.ONLY_LOCALIZER: _refusal(
        "All CT objects are localizer (scout) images, dose reports or secondary captures.",
        "Send the axial planning series.",
    ),
    Code.TOO_LARGE: _refusal(
        "The folder holds more or larger images than a planning CT has.",
        "Send only the planning CT.",
    ),
    Code.UNREADABLE_FILE: _refusal(
        "A file is damaged or cannot be opened, and may have been a slice of the series.",
        "Send the series again into an empty folder, and check the folder's permissions.",
    ),
    Code.UNREADABLE_PIXELS: _refusal(
        "The pixel data of a slice are missing, cut short or damaged, or are not of a CT image.",
        "Send the series again. If that fails, export it uncompressed, with 16 bits per pixel.",
    ),
    Code.AMBIGUOUS_PIXELS: _refusal(
        "Bits Stored, High Bit or Pixel Representation contradicts the pixel data. The values of "
        "some voxels are therefore ambiguous.",
        "Export the series with Bits Stored 16 and without graphics in the pixels.",
    ),
    Code.UNSUPPORTED_TRANSFER_SYNTAX: _refusal(
        "The slices have a transfer syntax that is not supported.",
        "Export the series as Explicit or Implicit VR Little Endian.",
    ),
    Code.NO_MATCHING_SERIES: _refusal(
        "No CT series matches the series rules of the settings.",
        "Compare the rules under `series` in app.yaml with the study.",
    ),
    Code.AMBIGUOUS_SERIES: _refusal(
        "Several CT series could be the planning CT, and no rule decides between them.",
        "Send one series, or add a rule under `series` in app.yaml.",
    ),
    Code.MIXED_PATIENTS: _refusal(
        "The slices belong to more than one patient.",
        "First find out whose images these are. Then send the images of one patient.",
    ),
    Code.MIXED_STUDIES: _refusal(
        "The slices belong to more than one study, or one series belongs to several studies.",
        "Send one study, or use --each-study. Correct a series that belongs to several studies.",
    ),
    Code.MIXED_ORIENTATION: _refusal(
        "The slices of the series are not parallel.",
        "Send one axial reconstruction.",
    ),
    Code.MIXED_MATRIX: _refusal(
        "The slices of the series differ in rows or columns.",
        "Send one reconstruction.",
    ),
    Code.MIXED_SPACING: _refusal(
        "The slices of the series differ in pixel spacing.",
        "Send one reconstruction.",
    ),
    Code.MIXED_FRAME_OF_REFERENCE: _refusal(
        "The slices of the series differ in Frame of Reference UID.",
        "Send one acquisition.",
    ),
    Code.MISSING_POSITION: _refusal(
        "A slice has no valid Image Position (Patient).",
        "Export the series with its geometry.",
    ),
    Code.MISSING_ORIENTATION: _refusal(
        "A slice has no valid Image Orientation (Patient).",
        "Export the series with its geometry.",
    ),
    Code.MISSING_SPACING: _refusal(
        "A slice has no valid Pixel Spacing.",
        "Export the series with its geometry.",
    ),
    Code.MISSING_RESCALE: _refusal(
        "A slice has no valid Rescale Slope and Intercept. Its Hounsfield units are unknown.",
        "Export the original CT, not a derived copy.",
    ),
    Code.MISSING_FRAME_OF_REFERENCE: _refusal(
        "The series has no Frame of Reference UID. Contours could not refer to it.",
        "Export the original CT. A planning system needs this UID too.",
    ),
    Code.DUPLICATE_CONFLICT: _refusal(
        "Two slices at one position, or two objects with one UID, have different content. Or one "
        "image occurs at two positions.",
        "Send the series again from its source, with one reconstruction only.",
    ),
    Code.MISSING_SLICE: _refusal(
        "A slice is missing: one distance between neighbouring slices is too large.",
        "Send the series again, complete.",
    ),
    Code.DISPLACED_SLICE: _refusal(
        "The position of a slice is damaged: the other slices are evenly spaced, and this one is "
        "not.",
        "Send the series again from its source.",
    ),
    Code.GANTRY_TILT: _refusal(
        "The slices are shifted against each other, as with a tilted gantry.",
        "Acquire the planning CT without gantry tilt.",
    ),
    Code.OBLIQUE: _refusal(
        "The angle between the slices and the axial plane is above the limit.",
        "Send the axial series, or raise `series.max_oblique_degrees` if the angle is intended.",
    ),
    Code.ENHANCED_CT: _refusal(
        "The CT consists of enhanced multi-frame objects, which are not supported.",
        "Export it as single-frame CT images (CT Image Storage).",
    ),
    Code.POSITION_CONTRADICTS_ORIENTATION: _refusal(
        "Patient Position contradicts the orientation of the slices: one of them is wrong.",
        "Check the patient's position at the scanner. Do not use these images as they are.",
    ),
    Code.LOSSY_COMPRESSION: _refusal(
        "The CT was compressed with loss, and the settings refuse that.",
        "Send the original images, or set `series.lossy: note` to accept the loss.",
    ),
    Code.INVALID_IDENTITY: _refusal(
        "The patient's name or ID, a UID or the character set breaks DICOM's rules. No result "
        "could be matched to the patient.",
        "Correct the identity at its source.",
    ),
    Code.TOO_FEW_SLICES: _refusal(
        "The series has too few slices to be a planning CT.",
        "Send the complete series.",
    ),
    Code.WRONG_ANATOMY: _refusal(
        "The scan does not show a head and neck, or only a part of them.",
        "Send a CT of the head and neck. If this CT is one, its patient position may be wrong, "
        "or a part of the image may be lost. Do not use these images as they are.",
    ),
    Code.POSITION_CONTRADICTS_ANATOMY: _refusal(
        "The anatomy contradicts the orientation in the header: left and right may be swapped.",
        "Check the patient's position at the scanner. Do not use these images as they are.",
    ),
    Code.IMPLAUSIBLE_HU: _refusal(
        "The voxel values are not Hounsfield units of a CT.",
        "Export the original CT with its own rescale, and check the scanner's calibration.",
    ),
    Code.DISCONTINUOUS_SLICES: _refusal(
        "The images of neighbouring slices do not fit together. Some are mirrored or damaged, or "
        "have the header of another slice.",
        "Send the series again from its source. Do not use these images as they are.",
    ),
    Code.NOTHING_SEGMENTED: _refusal(
        "None of the requested organs could be contoured.",
        "Read each organ's status: the scan may not show the organ, or it has no network.",
    ),
    "SETTINGS": Reason(
        "The settings cannot be read, or hold an unknown key or a value that is not allowed.",
        "Correct the key that the message names. `oarflow config` prints valid settings.",
    ),
    "TEMPLATES": Reason(
        "The folder of templates cannot be read, or one of its templates is invalid.",
        "The message names the template and the key; see `oarflow config templates`.",
    ),
    "CONTEXT": Reason(
        "A value of the context cannot be used.",
        "Write `--context name=value`, each name once.",
    ),
    "NO_CONFIG": Reason(
        "The settings file does not exist.",
        "Correct `--config` or HOLOSCAN_CONFIG_PATH.",
    ),
    "ORGAN_UNKNOWN": Reason(
        "A requested organ is not in the catalogue, or no organ is requested.",
        "Use a name from `oarflow organs`.",
    ),
    "SERIES_RULES": Reason(
        "The rules that choose the series are invalid.",
        "Correct `series` in app.yaml.",
    ),
    "PROFILE_UNKNOWN": Reason(
        "The settings name a planning system's profile that does not exist.",
        "The message lists the profiles.",
    ),
    "PROFILE_INVALID": Reason(
        "A site's own profile is invalid.",
        "The message names the wrong value.",
    ),
    "ROI_NAMES": Reason(
        "A name, prefix or colour of an ROI breaks the profile's rules. Or two names are equal. Or "
        "the CT's character set lacks a letter of a name.",
        "Correct `rois` in app.yaml.",
    ),
    "STRUCTURES": Reason(
        "A derived structure is invalid. Its name breaks a rule, or its recipe needs itself, an "
        "unknown structure, or an organ that is not requested.",
        "Correct `structures` in the settings.",
    ),
    "STRUCTURE_LABEL": Reason(
        "The structure set's label is too long or not plain ASCII.",
        "Correct `label` in app.yaml.",
    ),
    "SOURCE_DATE_EPOCH": Reason(
        "The variable SOURCE_DATE_EPOCH is not a whole number of seconds.",
        "Correct or unset it.",
    ),
    "NO_INPUT": Reason(
        "The input does not exist, or is neither a folder nor a zip archive.",
        "Correct the path, or the variable that the message names.",
    ),
    "NO_OUTPUT": Reason(
        "No output folder is given, and the host has mounted none.",
        "Name one with `-o`.",
    ),
    "OUTPUT_OVERLAPS_INPUT": Reason(
        "The input folder contains the output folder, or the reverse.",
        "Use two separate folders.",
    ),
    "OUTPUT_IN_USE": Reason(
        "The output folder already holds results, or another run is writing into it.",
        "Name an empty or new folder.",
    ),
    "OUTPUT_NOT_WRITABLE": Reason(
        "The output folder cannot be written: missing permission, or a full or read-only disk.",
        "Free disk space, or correct the folder's owner or mount.",
    ),
    "NO_TEMPORARY_FOLDER": Reason(
        "No temporary folder can be written.",
        "Mount one at /tmp, or set TMPDIR.",
    ),
    "NO_MODELS": Reason(
        "The models folder does not exist or holds no network.",
        "Correct the path, or the variable that the message names.",
    ),
    "CATALOGUE": Reason(
        "The catalogue of organs (organs.yaml) is invalid.",
        "The message names the entry and the problem.",
    ),
    "MODEL_CARD": Reason(
        "A network's card (model.json) cannot be read or is invalid.",
        "Install the network again. For your own network, write the card with `oarflow train "
        "export`.",
    ),
    "MODEL_MISSING": Reason(
        "The file of a network is missing, or another network that it needs.",
        "Install the network again, with all its files.",
    ),
    "MODEL_HASH": Reason(
        "The SHA-256 of a network differs from its card, or is not among `trusted_models`.",
        "Do not use the network. Install it again from its source, or add its hash to "
        "`trusted_models` if you trust it.",
    ),
    "MODEL_CLASH": Reason(
        "Two networks of the models folder contour the same organ, or depend on each other.",
        "Remove one of them. Of two imported networks, you can name one in `prefer` instead.",
    ),
    "NETWORK_CHOICE": Reason(
        "The setting `prefer` or `second_opinion` names a network that does not contour the organ, "
        "or `second_opinion` names the network that contours it already.",
        "Use the name of another network of this organ: `oarflow models` lists them.",
    ),
    "NO_LOCALIZER": Reason(
        "The models folder holds no localization network.",
        "Add a localization network, or three coarse views and their fusion.",
    ),
    "DEVICE": Reason(
        "The requested device is unknown or not available.",
        "Set `device: auto` or `cpu`, or repair the GPU's driver.",
    ),
    "NO_RESULT": Reason(
        "The folder holds no finished run: result.json or the RTSTRUCT is missing or was changed.",
        "Name the unchanged output folder of a run.",
    ),
    "WRONG_CT": Reason(
        "The CT is not the one that the run contoured.",
        "Name the CT that the run read.",
    ),
    "EXTRA": Reason(
        "A package that the command needs is not installed.",
        "Install the extra that the message names.",
    ),
    "USAGE": Reason(
        "The options of the command line contradict each other.",
        "Read `oarflow VERB --help`.",
    ),
    "NO_SAMPLE": Reason(
        "The self-test's sample is not installed.",
        "Install OARflow again, with its samples.",
    ),
    "TIME_LIMIT": Reason(
        "The run took longer than `run_seconds` and stopped. The output folder is unchanged.",
        "Find out why the run was slow. Give it more processors or a higher `run_seconds`.",
        ExitStatus.TERMINATED,
    ),
}
"""Refusals first, most fundamental first; then problems of settings, models or folders, and what
stops a run. For the latter, standard error has the code (`oarflow: CODE: ...`), and nothing is
written, not even result.json."""
