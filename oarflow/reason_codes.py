"""Every code that a run can end with: what it means, and what to do. The single table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oarflow.errors import Code, ExitStatus


@dataclass(frozen=True)
class Reason:
    """One row: what a code means, what the reader can do, and the exit status that it ends in."""

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
        "The zip archive is damaged, encrypted, or packed by a method that is not supported.",
        "Pack the CT again as a plain zip without a password, or give the unpacked folder.",
    ),
    Code.ARCHIVE_UNSAFE: _refusal(
        "The zip archive holds what no export of a CT needs: other archives, links, paths that "
        "lead outside, or more than the limits allow.",
        "Find out where it comes from. Unpack it with care, and give the folder with the CT.",
    ),
    Code.NO_DICOM: _refusal(
        "None of the files is DICOM that can be read.",
        "Export the planning CT as DICOM Part 10 files.",
    ),
    Code.NOT_CT: _refusal(
        "There are DICOM objects, but no CT image among them.",
        "Send the planning CT itself, as CT Image Storage: not its contours, plan, dose, another "
        "modality or a private object of its scanner.",
    ),
    Code.ONLY_LOCALIZER: _refusal(
        "All CT objects are localizers, dose reports or secondary captures.",
        "Send the axial planning series.",
    ),
    Code.TOO_LARGE: _refusal(
        "The folder holds more, or larger, images than any planning CT has.",
        "Send only the planning CT.",
    ),
    Code.UNREADABLE_FILE: _refusal(
        "A file is damaged or cannot be opened, and may have been a slice of the series.",
        "Send the series again into an empty folder, and check the folder's permissions.",
    ),
    Code.UNREADABLE_PIXELS: _refusal(
        "A slice's pixel data are missing, cut short, of no kind that a CT image has, or damaged.",
        "Send the series again; if it fails once more, export it uncompressed, with 16 bits for "
        "each pixel.",
    ),
    Code.AMBIGUOUS_PIXELS: _refusal(
        "Bits Stored, High Bit or Pixel Representation contradict the pixel data: the values of "
        "some voxels could be either of two.",
        "Export the series with 16 Bits Stored, and without graphics in the pixels.",
    ),
    Code.UNSUPPORTED_TRANSFER_SYNTAX: _refusal(
        "The slices are stored in a transfer syntax that is not supported.",
        "Export the series as Explicit or Implicit VR Little Endian.",
    ),
    Code.NO_MATCHING_SERIES: _refusal(
        "No CT series matches the series rules in force.",
        "Check the rules under `series` in app.yaml against the study.",
    ),
    Code.AMBIGUOUS_SERIES: _refusal(
        "Several CT series could be the planning CT, and no rule decides between them.",
        "Send one series, or add a rule under `series` in app.yaml.",
    ),
    Code.MIXED_PATIENTS: _refusal(
        "The slices name more than one patient.",
        "Find out whose images these are before anything else; send one patient.",
    ),
    Code.MIXED_STUDIES: _refusal(
        "The slices belong to more than one study, or one series is filed under several.",
        "Send one study, or run with --each-study. Correct a series that is filed under several.",
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
        "A slice has no valid Rescale Slope and Intercept, so its Hounsfield units are unknown.",
        "Export the original CT, not a derived copy.",
    ),
    Code.MISSING_FRAME_OF_REFERENCE: _refusal(
        "The series has no Frame of Reference UID, so contours could not be tied to it.",
        "Export the original CT; a planning system needs this UID too.",
    ),
    Code.DUPLICATE_CONFLICT: _refusal(
        "Two slices at one position, or two objects of one UID, differ in content; or one image "
        "stands at two positions.",
        "Send the series again from its source, one reconstruction only.",
    ),
    Code.MISSING_SLICE: _refusal(
        "A slice is missing: the distance between neighbours jumps once.",
        "Send the series again, complete.",
    ),
    Code.DISPLACED_SLICE: _refusal(
        "A slice lies off its place in an even stack: its position is damaged.",
        "Send the series again from its source.",
    ),
    Code.GANTRY_TILT: _refusal(
        "The stack is sheared: the slices do not follow one another along their normal.",
        "Acquire the planning CT without gantry tilt.",
    ),
    Code.OBLIQUE: _refusal(
        "The slices are turned away from the axial plane by more than the limit.",
        "Send the axial series, or raise `series.max_oblique_degrees` knowingly.",
    ),
    Code.ENHANCED_CT: _refusal(
        "The CT is stored as enhanced multi-frame objects, which are not supported.",
        "Export it as classic single-frame CT images.",
    ),
    Code.POSITION_CONTRADICTS_ORIENTATION: _refusal(
        "Patient Position does not go with the orientation of the slices: one of both is wrong.",
        "Check the patient's position at the scanner; do not use these images as they are.",
    ),
    Code.LOSSY_COMPRESSION: _refusal(
        "The CT was compressed with loss, and the settings refuse that.",
        "Send the original images, or set `series.lossy: note` knowingly.",
    ),
    Code.INVALID_IDENTITY: _refusal(
        "The patient's name or ID, a UID or the character set breaks DICOM's rules: no result "
        "could be matched.",
        "Correct the identity at its source.",
    ),
    Code.TOO_FEW_SLICES: _refusal(
        "The series has too few slices to be a planning CT.",
        "Send the complete series.",
    ),
    Code.WRONG_ANATOMY: _refusal(
        "Head and neck were not found in the scan, or only a part of them.",
        "Send a CT of the head and neck. If it is one, the patient may have been registered in a "
        "wrong position, or part of the image is lost: do not use these images as they are.",
    ),
    Code.POSITION_CONTRADICTS_ANATOMY: _refusal(
        "The anatomy contradicts the orientation in the header: left and right may be swapped.",
        "Check how the patient was registered at the scanner. Do not use these images as they are.",
    ),
    Code.IMPLAUSIBLE_HU: _refusal(
        "The voxel values are not Hounsfield units of a CT.",
        "Export the original CT with its own rescale, and check the scanner's calibration.",
    ),
    Code.DISCONTINUOUS_SLICES: _refusal(
        "The slices' images do not follow one another: some stand under another slice's header, or "
        "are mirrored or damaged.",
        "Send the series again from its source. Do not use these images as they are.",
    ),
    Code.NOTHING_SEGMENTED: _refusal(
        "None of the requested organs could be contoured.",
        "Read the organs' statuses: the scan may not show them, or no model may be installed.",
    ),
    "SETTINGS": Reason(
        "The settings cannot be read, or hold an unknown key or a value that is not allowed.",
        "The message names file, key and what was expected; see `oarflow config`.",
    ),
    "NO_CONFIG": Reason(
        "The settings file that was named does not exist.",
        "Correct `--config` or HOLOSCAN_CONFIG_PATH.",
    ),
    "ORGAN_UNKNOWN": Reason(
        "An organ that the settings name is not in the catalogue, or none is asked for.",
        "Write it as models/organs.yaml does.",
    ),
    "SERIES_RULES": Reason(
        "The rules that choose the series cannot be used.",
        "Correct what stands under `series` in app.yaml.",
    ),
    "PROFILE_UNKNOWN": Reason(
        "The planning system's profile that the settings name does not exist.",
        "The message lists those that there are.",
    ),
    "PROFILE_INVALID": Reason(
        "A profile of the site's own cannot be used.",
        "The message names the value that is wrong.",
    ),
    "ROI_NAMES": Reason(
        "Names, prefix or colours of ROIs break the profile's rules, two names are the same, or "
        "the CT's character set lacks letters of a name.",
        "Correct `rois` in app.yaml.",
    ),
    "STRUCTURE_LABEL": Reason(
        "The structure set's label is too long or no plain ASCII.",
        "Correct `label` in app.yaml.",
    ),
    "SOURCE_DATE_EPOCH": Reason(
        "The variable SOURCE_DATE_EPOCH is no whole number of seconds.",
        "Correct it or leave it unset.",
    ),
    "NO_INPUT": Reason(
        "The input is not there, or is neither a folder nor a zip archive.",
        "Correct the path, or the variable that the message names.",
    ),
    "NO_OUTPUT": Reason(
        "No folder for the results is named, and a host has mounted none.",
        "Name one with `-o`.",
    ),
    "OUTPUT_OVERLAPS_INPUT": Reason(
        "Input and output lie within one another.",
        "Give two folders apart.",
    ),
    "OUTPUT_IN_USE": Reason(
        "The output folder holds results already, or another run is writing into it.",
        "Give an empty folder.",
    ),
    "OUTPUT_NOT_WRITABLE": Reason(
        "The output folder cannot be written: permissions, or a full or read-only disk.",
        "Make room, or correct owner and mount.",
    ),
    "NO_TEMPORARY_FOLDER": Reason(
        "No temporary folder can be written.",
        "Mount one at /tmp, or set TMPDIR.",
    ),
    "NO_MODELS": Reason(
        "There is no models folder, or no network in it.",
        "Correct the path, or the variable that the message names.",
    ),
    "CATALOGUE": Reason(
        "The catalogue of organs (organs.yaml) cannot be used.",
        "The message names the entry and what is wrong with it.",
    ),
    "MODEL_CARD": Reason(
        "A network's card, model.json, cannot be read or breaks its rules.",
        "Install the model again; for one of your own, read docs/training.md.",
    ),
    "MODEL_MISSING": Reason(
        "A network's file, or a network that another one needs, is not there.",
        "Install the model again, whole.",
    ),
    "MODEL_HASH": Reason(
        "A network is not the file that its card names, or not among `trusted_models`.",
        "Do not use it. Install the model again from its source, or trust its hash knowingly.",
    ),
    "MODEL_CLASH": Reason(
        "Two networks of the models folder do the same, or start from one another.",
        "Take one of them out.",
    ),
    "NO_LOCALIZER": Reason(
        "No network of the models folder says where the organs are.",
        "Add a localizer, or three coarse views and their fusion.",
    ),
    "DEVICE": Reason(
        "The device that the settings ask for is not there, or not known.",
        "Set `device: auto` or `cpu`, or mend the GPU's driver.",
    ),
    "NO_RESULT": Reason(
        "The folder holds no finished run: result.json or the RTSTRUCT is missing, or was changed.",
        "Give the run's output folder as the run left it.",
    ),
    "WRONG_CT": Reason(
        "The CT is not the one that the run contoured.",
        "Give the CT that the run read.",
    ),
    "EXTRA": Reason(
        "A package that the verb needs is not installed.",
        "Install the extra that the message names.",
    ),
    "USAGE": Reason(
        "Flags of the command line do not go together.",
        "Read `oarflow VERB --help`.",
    ),
    "NO_SAMPLE": Reason(
        "The self-test's sample is not installed.",
        "Install OARflow again, whole.",
    ),
    "TIME_LIMIT": Reason(
        "The run took longer than `run_seconds` and stopped; the output folder is as it was.",
        "Look why it was slow; give it whole processors, or more time.",
        ExitStatus.TERMINATED,
    ),
}
"""Refusals first, most fundamental first; then what is wrong with settings, models or folders,
and what stops a run. Of these, standard error shows the code (`oarflow: CODE: ...`), and nothing is
written, not even result.json."""
