"""Pixel data in odd encodings: the same voxels, and a remark where bytes were left over."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import FileDataset
from pydicom.encaps import get_frame
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from oarflow.errors import Code, Refusal
from oarflow.intake import Intake, read_volume
from oarflow.rtstruct.check.pixels import stored_pixels
from tests.phantoms import make_series, write_series

IMAGE_BYTES = 2 * 48 * 48
COMPRESSED = (RLELossless, JPEGLSLossless, JPEG2000Lossless)
Encode = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.float32]:
    folder = tmp_path_factory.mktemp("plain")
    write_series(folder, make_series())
    return read_volume(folder).volume.hu


def read_with(folder: Path, syntax: UID, encode: Encode) -> Intake:
    """Read the phantom with the pixel data element of each slice, the last one, written anew."""
    for path, dataset in zip(
        write_series(folder, series := make_series(transfer_syntax=syntax)), series, strict=True
    ):
        path.write_bytes(encode_last(dataset, encode))
    return read_volume(folder)


def encode_last(dataset: FileDataset, encode: Encode) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    content = file.getvalue()
    value = dataset.PixelData
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        value = get_frame(value, 0, number_of_frames=1).rstrip(b"\0")
    return content[: content.rindex(b"\xe0\x7f\x10\x00")] + encode(value)


def element(value: bytes, vr: bytes = b"OW", length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    return b"\xe0\x7f\x10\x00" + vr + b"\0\0" + struct.pack("<I", size) + value


def item(content: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(content)) + content


def even(stream: bytes) -> bytes:
    return stream + b"\0" * (len(stream) % 2)


def halves(stream: bytes) -> tuple[bytes, bytes]:
    middle = len(stream) // 4 * 2
    return item(stream[:middle]), item(even(stream[middle:]))


def fragments(*items: bytes, delimiter: bytes = b"\xfe\xff\xdd\xe0\0\0\0\0") -> bytes:
    return element(b"".join(items) + delimiter, b"OB", 0xFFFFFFFF)


def offsets(*values: int) -> bytes:
    return item(struct.pack(f"<{len(values)}I", *values))


def assert_read(intake: Intake, plain: NDArray[np.float32]) -> None:
    """By the intake, and by the reader of the self-check."""
    np.testing.assert_array_equal(intake.volume.hu, plain)
    for k, uid in enumerate(intake.volume.source.sop_instance_uids):
        _, stored = stored_pixels(intake.paths[uid])
        np.testing.assert_array_equal(stored - 1024, plain[k])


def left(size: int) -> tuple[str, ...]:
    return (f"up to {size} bytes after the image were ignored in 16 slices",)


@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"\x12\x34"])
@pytest.mark.parametrize("size", [1, 2, 10, 512, 1000, IMAGE_BYTES - 2])
def test_excess_bytes_of_pixel_data_are_left(
    tmp_path: Path, plain: NDArray[np.float32], size: int, fill: bytes
) -> None:
    padding = (fill * size)[:size]
    intake = read_with(tmp_path, ExplicitVRLittleEndian, lambda v: element(v + padding))
    assert_read(intake, plain)
    assert intake.notes == left(size)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_excess_bytes_in_other_syntaxes(
    tmp_path: Path, plain: NDArray[np.float32], syntax: UID
) -> None:
    series = make_series(transfer_syntax=syntax)
    for dataset in series:
        dataset.PixelData += b"\0" * 100
    write_series(tmp_path, series)
    intake = read_volume(tmp_path)
    assert_read(intake, plain)
    assert intake.notes == left(100)


def test_padding_of_more_than_an_image_is_left(tmp_path: Path, plain: NDArray[np.float32]) -> None:
    intake = read_with(
        tmp_path, ExplicitVRLittleEndian, lambda v: element(v + b"\0" * 3 * IMAGE_BYTES)
    )
    assert_read(intake, plain)


@pytest.mark.parametrize("tail", [b"\0" * 7, b"\0" * 600, b"\xff" * 600, b"DICM" * 200])
def test_bytes_behind_the_data_set_are_left(
    tmp_path: Path, plain: NDArray[np.float32], tail: bytes
) -> None:
    intake = read_with(tmp_path, ExplicitVRLittleEndian, lambda v: element(v) + tail)
    assert_read(intake, plain)
    if tail[:2] in (b"\0\0", b"\xff\xff") and len(tail) > 100:
        assert intake.notes == left(len(tail))


def test_data_set_trailing_padding_is_no_excess(tmp_path: Path, plain: NDArray[np.float32]) -> None:
    padding = b"\xfc\xff\xfc\xffOB\0\0" + struct.pack("<I", 30) + b"\0" * 30
    intake = read_with(tmp_path, ExplicitVRLittleEndian, lambda v: element(v) + padding)
    assert_read(intake, plain)
    assert intake.notes == ()


LEGAL: dict[str, Encode] = {
    "no offsets": lambda v: fragments(item(b""), item(even(v))),
    "offsets": lambda v: fragments(offsets(0), item(even(v))),
    "wrong offset": lambda v: fragments(offsets(76), item(even(v))),
    "no offset table": lambda v: fragments(item(even(v))),
    "two fragments": lambda v: fragments(item(b""), *halves(v)),
    "two fragments, one offset": lambda v: fragments(offsets(0), *halves(v)),
    "two fragments, two offsets": lambda v: fragments(offsets(0, len(halves(v)[0])), *halves(v)),
    "an empty fragment first": lambda v: fragments(item(b""), item(b""), item(even(v))),
    "an empty fragment last": lambda v: fragments(item(b""), item(even(v)), item(b"")),
    "defined length": lambda v: element(item(b"") + item(even(v)), b"OB"),
    "as OW": lambda v: element(
        item(b"") + item(even(v)) + b"\xfe\xff\xdd\xe0\0\0\0\0", b"OW", 0xFFFFFFFF
    ),
}


@pytest.mark.parametrize("syntax", COMPRESSED, ids=lambda uid: uid.name)
@pytest.mark.parametrize("name", LEGAL)
def test_fragments_of_one_image(
    tmp_path: Path, plain: NDArray[np.float32], name: str, syntax: UID
) -> None:
    intake = read_with(tmp_path, syntax, LEGAL[name])
    assert_read(intake, plain)
    assert intake.notes == ()


@pytest.mark.parametrize("syntax", COMPRESSED, ids=lambda uid: uid.name)
@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
def test_bytes_behind_a_compressed_image_are_left(
    tmp_path: Path, plain: NDArray[np.float32], fill: bytes, syntax: UID
) -> None:
    intake = read_with(tmp_path, syntax, lambda v: fragments(item(b""), item(even(v) + fill * 100)))
    assert_read(intake, plain)
    assert intake.notes == (() if syntax == RLELossless else left(100))


REFUSED: dict[str, tuple[UID, Encode, str]] = {
    "too short": (ExplicitVRLittleEndian, lambda v: element(v[:-2]), "shorter than the matrix"),
    "two images": (ExplicitVRLittleEndian, lambda v: element(v + v), "more than one image"),
    "uncompressed items": (
        ExplicitVRLittleEndian,
        lambda v: fragments(item(b""), item(v)),
        "divided into items",
    ),
    **{
        f"two images, {syntax.name}": (
            syntax,
            lambda v: fragments(item(b""), item(even(v)), item(even(v))),
            "more than one image",
        )
        for syntax in COMPRESSED
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_single_image_is_refused_with_its_reason(tmp_path: Path, name: str) -> None:
    syntax, encode, why = REFUSED[name]
    with pytest.raises(Refusal) as refusal:
        read_with(tmp_path, syntax, encode)
    assert refusal.value.code is Code.UNREADABLE_PIXELS
    assert why in refusal.value.detail
