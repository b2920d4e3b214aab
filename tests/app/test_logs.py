"""No patient data at any log level: not in messages, result.json or file names."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import JPEG2000Lossless

from tests.app.workbench import Broken, app, clean_environment, write_ct, write_models

TRACES = re.compile(rb"SECRET|1950-?12-?31")
PLANTED = {
    "PatientName": "SECRET^PATIENT",
    "PatientID": "SECRETID",
    "PatientBirthDate": "19501231",
    "PatientAddress": "SECRET STREET 1",
    "AccessionNumber": "SECRETNUMBER",
    "ReferringPhysicianName": "SECRET^PHYSICIAN",
    "StudyDescription": "CT OF SECRET^PATIENT",
    "SeriesDescription": "SECRET^PATIENT 3.0",
    "StudyID": "SECRETSTUDY",
}
LOUD = {
    "HOLOSCAN_LOG_LEVEL": "TRACE",
    "GXF_LOG_LEVEL": "VERBOSE",
    "TORCH_CPP_LOG_LEVEL": "INFO",
    "PYTHONWARNINGS": "always",
}
LEVELS = [
    pytest.param((), LOUD, id="default"),
    pytest.param(("--debug", "--progress", "json"), LOUD, id="debug"),
]

Damage = Callable[[Path], object]


def filled(keyword: str) -> Damage:
    """Every slice's element filled with a name, whatever it should hold."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    head = (
        tag.to_bytes(4, "little")[2:]
        + tag.to_bytes(4, "little")[:2]
        + dictionary_VR(tag).encode("ascii")
    )

    def damage(folder: Path) -> None:
        for path in folder.iterdir():
            content = bytearray(path.read_bytes())
            start = content.index(head) + 8
            length = int.from_bytes(content[start - 2 : start], "little")
            content[start : start + length] = (b"SECRET^PATIENT " * length)[:length]
            path.write_bytes(content)

    return damage


def cut(folder: Path) -> None:
    path = folder / "CT.0007.dcm"
    path.write_bytes(path.read_bytes()[:900])


def named(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        path.rename(folder / f"SECRET_PATIENT_19501231_{path.name}")
    (folder / "SECRET.txt").write_text("SECRET^PATIENT 19501231")


def without_a_slice(folder: Path) -> None:
    (folder / "CT.0005.dcm").unlink()


def scrambled(folder: Path) -> None:
    for path in folder.iterdir():
        content = path.read_bytes()
        path.write_bytes(content[:-600] + b"SECRET" * 100)


DAMAGES: dict[str, Damage] = {
    "sound": lambda _: None,
    "named": named,
    "without a slice": without_a_slice,
    "cut": cut,
    "scrambled": scrambled,
    **{
        keyword: filled(keyword)
        for keyword in (
            "TransferSyntaxUID",
            "SpecificCharacterSet",
            "Modality",
            "StudyInstanceUID",
            "FrameOfReferenceUID",
            "InstanceNumber",
            "ImagePositionPatient",
            "RescaleSlope",
            "PatientBirthDate",
        )
    },
}


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One study for each damage, with names and numbers of a patient all over."""
    folder = tmp_path_factory.mktemp("studies")
    for name, damage in DAMAGES.items():
        tags = {**PLANTED, "SpecificCharacterSet": "ISO_IR 100", "StudyDate": "20200101"}
        changes = {"transfer_syntax": JPEG2000Lossless} if name == "scrambled" else {}
        write_ct(folder / name, seed=name, slices=12, tags=tags, **changes)
        damage(folder / name)
    return folder


def traces(ran: subprocess.CompletedProcess[str], out: Path) -> list[str]:
    """Where patient data are found: in what was said, in file names, in result.json."""
    texts = {"standard output": ran.stdout, "standard error": ran.stderr}
    texts |= {f"name {path.name}": path.name for path in out.rglob("*")}
    texts |= {f"{p.parent.name}/{p.name}": p.read_text() for p in out.rglob("*.json")}
    return [
        f"{where}: {text[max(0, hit.start() - 80) : hit.end() + 20]}"
        for where, text in texts.items()
        if (hit := TRACES.search(text.encode())) is not None
    ]


# Every study in one process, which saves the imports.
ONE_BY_ONE = """
import sys
from pathlib import Path
from app.__main__ import main

studies, out, models, *flags = sys.argv[1:]
for study in sorted(Path(studies).iterdir()):
    status = main(["-i", str(study), "-o", f"{out}/{study.name}", "-m", models, *flags])
    print(f"{study.name}: {int(status)}")
"""


@pytest.mark.parametrize(("flags", "variables"), LEVELS)
def test_sound_and_broken_input(
    flags: tuple[str, ...],
    variables: dict[str, str],
    studies: Path,
    models: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    environment = clean_environment(**variables)
    program = ("-c", ONE_BY_ONE)
    ran = app(studies, out, models, *flags, environment=environment, program=program)
    assert ran.returncode == 0, ran.stderr
    statuses = dict(re.findall(r"^(.+): (\d)$", ran.stdout, re.MULTILINE))
    assert statuses.keys() == DAMAGES.keys()
    assert {name: statuses[name] for name in ("sound", "named", "cut")} == {
        "sound": "0",
        "named": "0",
        "cut": "3",
    }
    assert set(statuses.values()) == {"0", "3"}
    assert traces(ran, out) == []


@pytest.mark.parametrize(("flags", "variables"), LEVELS)
def test_broken_network(
    flags: tuple[str, ...], variables: dict[str, str], ct: Path, tmp_path: Path
) -> None:
    """TorchScript's exceptions quote the source, which here holds a name."""
    broken = write_models(tmp_path / "models", Parotid_L=Broken(), Parotid_R=Broken())
    out = tmp_path / "out"
    environment = clean_environment(**variables)
    ran = app("-i", ct, "-o", out, "-m", broken, *flags, environment=environment)
    assert ran.returncode == 1
    assert traces(ran, out) == []


# Whatever a library may do while a stage runs; the last ends the stage.
TALKATIVE = """
import logging, sys, threading, warnings
from app.__main__ import main
import oarflow.pipeline

class Unraisable:
    def __del__(self):
        raise ValueError("SECRET^PATIENT")

def chatter(*_, **__):
    for name in ("pydicom", "highdicom.base", "py.warnings"):
        logging.getLogger(name).critical("SECRET^PATIENT %s", "19501231")
        logging.getLogger(name).debug("SECRET^PATIENT")
    logging.getLogger("pydicom").error("SECRET^PATIENT %d", "no number")
    warnings.warn("SECRET^PATIENT")
    Unraisable()
    def quoted():
        raise ValueError("SECRET^PATIENT")
    thread = threading.Thread(target=quoted)
    thread.start()
    thread.join()
    try:
        raise KeyError("SECRET^PATIENT")
    except KeyError as error:
        raise ValueError("SECRET^PATIENT") from error

{patch}
sys.exit(main())
"""
WITHIN = "oarflow.pipeline.find_organs = chatter"
OUTSIDE = "import oarflow.run.session; oarflow.run.session.Session.run = chatter"


@pytest.mark.parametrize("patch", [WITHIN, OUTSIDE], ids=["within", "outside"])
@pytest.mark.parametrize("flags", [(), ("--debug",)], ids=["default", "debug"])
def test_talkative_libraries(
    patch: str, flags: tuple[str, ...], ct: Path, models: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    program = ("-c", TALKATIVE.replace("{patch}", patch))
    ran = app("-i", ct, "-o", out, "-m", models, *flags, program=program)
    assert ran.returncode == 1
    assert traces(ran, out) == []
    assert "the program failed" in ran.stderr
    assert "ValueError at" in ran.stderr
    assert "chatter" in ran.stderr
    assert ("KeyError at" in ran.stderr) == bool(flags)
    assert ("CRITICAL pydicom: <string>:" in ran.stderr) == bool(flags)
    assert "UserWarning" in ran.stderr if flags else "UserWarning" not in ran.stderr
