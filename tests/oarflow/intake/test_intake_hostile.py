"""Files made to break a reader: each is refused or left, none raises anything but a Refusal."""

import resource
import tracemalloc
import zlib
from time import monotonic

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from oarflow.errors import Code, Refusal
from oarflow.intake import FileClass, read_volume
from oarflow.intake.codestream import claimed_size
from oarflow.intake.scan import scan
from tests.phantoms import make_series, write_series

PREAMBLE = b"\0" * 128 + b"DICM"


def meta(syntax: str = "1.2.840.10008.1.2.1") -> bytes:
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    element = b"\x02\x00\x10\x00UI" + len(uid).to_bytes(2, "little") + uid
    return PREAMBLE + b"\x02\x00\x00\x00UL\x04\x00" + len(element).to_bytes(4, "little") + element


def codes_of(folder) -> set[Code]:
    with pytest.raises(Refusal) as caught:
        read_volume(folder)
    return {finding.code for finding in caught.value.findings}


def test_a_forged_length_asks_for_no_memory(tmp_path):
    huge = b"\x08\x00\x08\x00OB\x00\x00\xf0\xff\xff\xff" + b"x" * 100
    (tmp_path / "huge.dcm").write_bytes(meta() + huge)
    tracemalloc.start()
    assert codes_of(tmp_path) == {Code.UNREADABLE_FILE}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6


def test_a_deflated_bomb_is_not_blown_up(tmp_path):
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = b"\0" * 2**20
    bomb = b"".join(squeeze.compress(zeros) for _ in range(400)) + squeeze.flush()
    (tmp_path / "bomb.dcm").write_bytes(meta(DeflatedExplicitVRLittleEndian) + bomb)
    start = monotonic()
    assert codes_of(tmp_path) == {Code.UNREADABLE_FILE}
    assert monotonic() - start < 10


@pytest.mark.parametrize("depth", [50, 20_000])
def test_deep_sequences_end(tmp_path, depth):
    opening = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    (tmp_path / "deep.dcm").write_bytes(meta() + opening * depth)
    assert codes_of(tmp_path) == {Code.UNREADABLE_FILE}


def test_an_unknown_vr_does_not_stop_the_scan(tmp_path):
    paths = write_series(tmp_path, make_series())
    content = paths[2].read_bytes()
    at = content.index(b"\x08\x00\x70\x00LO")
    paths[2].write_bytes(content[: at + 4] + b"ZZ" + content[at + 6 :])
    assert read_volume(tmp_path).volume.hu.shape[0] == 16


def test_text_that_begins_like_a_data_set_is_no_dicom(tmp_path):
    (tmp_path / "a").write_bytes(b"\x08\x00\x05\x00" + b"not a data set at all" * 20)
    (tmp_path / "b").write_bytes(b"\x02\x00\x00\x00" + b"nor this" * 20)
    assert {record.file_class for record in scan(tmp_path).records} <= {
        FileClass.NOT_DICOM,
        FileClass.UNREADABLE,
    }
    assert codes_of(tmp_path) <= {Code.NO_DICOM, Code.UNREADABLE_FILE}


def test_a_dicomdir_is_left(tmp_path):
    write_series(tmp_path, make_series())
    directory = make_series(slices=1)[0]
    directory.SOPClassUID = pydicom.uid.MediaStorageDirectoryStorage
    write_series(tmp_path / "root", [directory])[0].rename(tmp_path / "DICOMDIR")
    assert read_volume(tmp_path).account.count(FileClass.DICOMDIR) == 1


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, RLELossless], ids=lambda uid: uid.name)
def test_a_stream_of_noise_is_refused(tmp_path, syntax):
    series = make_series(transfer_syntax=syntax)
    noise = np.random.default_rng(1).bytes(500)
    series[3].PixelData = encapsulate([noise])
    write_series(tmp_path, series)
    assert codes_of(tmp_path) == {Code.UNREADABLE_PIXELS}


def test_a_stream_that_claims_another_size_is_not_decoded(tmp_path):
    series = make_series(transfer_syntax=JPEG2000Lossless)
    frame = pydicom.encaps.get_frame(series[3].PixelData, 0, number_of_frames=1)
    assert claimed_size(frame) == (48, 48)
    forged = frame[:8] + (60_000).to_bytes(4, "big") * 2 + frame[16:]
    assert claimed_size(forged) == (60_000, 60_000)
    series[3].PixelData = encapsulate([forged])
    write_series(tmp_path, series)
    assert codes_of(tmp_path) == {Code.UNREADABLE_PIXELS}


@pytest.mark.parametrize(
    ("stream", "size"),
    [
        (bytes.fromhex("ffd8ffe000041234ffc3000b10020003000401"), (512, 768)),
        (bytes.fromhex("ffd8fff7000b10020003000401"), (512, 768)),
        (bytes.fromhex("ffd8ffc4000300ffc3"), None),
        (b"\xff\xd8" + b"\xff" * 100, None),
        (b"\xff\x4f\xff\x51", None),
        (b"", None),
    ],
)
def test_claimed_size(stream, size):
    assert claimed_size(stream) == size


@pytest.mark.parametrize("start", [b"", b"\0" * 128 + b"DICM", b"\x08\0\x05\0", b"PK\x03\x04"])
def test_a_file_of_twenty_gigabytes_costs_nothing(tmp_path, start):
    write_series(tmp_path, make_series())
    with (tmp_path / "large.bin").open("wb") as file:
        file.write(start)
        file.truncate(20 * 2**30)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = scan(tmp_path)
    assert len(found.of(FileClass.SLICE)) == 16
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most < 300 * 1024
