"""The second table of codes: what is wrong with settings, models or folders. Exit status 2."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.errors import Reason

CONFIGURATION: Mapping[str, Reason] = {
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
    ),
}
"""By the name that standard error shows (`oarflow: NAME: ...`): nothing is written, not even
result.json. TIME_LIMIT is shown like them, and ends in status 143."""
