"""Bits beside the values, in every place and encoding: they mean nothing, or the CT is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import FileDataset
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from oarflow.errors import Code, Refusal
from oarflow.intake import Intake, read_volume
from oarflow.rtstruct.check.pixels import stored_pixels
from tests.phantoms import head, make_series, write_series

IGNORED = "unused bits of the pixels are set in 16 slices and were ignored"
SIZE = 48
Words = NDArray[np.int64]


def values_of(dataset: FileDataset, intercept: float) -> Words:
    """The phantom's stored values for another intercept, held within 12 bits."""
    hu = dataset.pixel_array.astype(np.int64) - 1024
    low, high = (0, 4095) if intercept else (-2048, 2047)
    return np.clip(hu - int(intercept), low, high)


def pack(
    dataset: FileDataset,
    words: Words,
    *,
    signed: bool = False,
    stored: int = 12,
    high: int | None = None,
    allocated: int = 16,
    syntax: UID = ExplicitVRLittleEndian,
) -> None:
    """Write words of `allocated` bits, taken as they are, under a header of 12 stored bits."""
    order = ">" if dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian else "<"
    bits = (words & ((1 << allocated) - 1)).astype(f"{order}u{allocated // 8}")
    dataset.BitsAllocated, dataset.BitsStored = allocated, stored
    dataset.HighBit = stored - 1 if high is None else high
    dataset.PixelRepresentation = int(signed)
    dataset.RescaleIntercept = "0" if signed else "-1024"
    dataset.PixelData = bits.tobytes()
    if syntax.is_encapsulated:
        dataset.BitsStored, dataset.HighBit = allocated, allocated - 1  # the encoder keeps all bits
        dataset.PixelRepresentation = 0
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.BitsStored, dataset.HighBit = stored, stored - 1
        dataset.PixelRepresentation = int(signed)


def declare_overlay(dataset: FileDataset, bit: int = 12) -> None:
    """A retired overlay in the pixels' own words: no Overlay Data."""
    for element, vr, value in (
        (0x10, "US", dataset.Rows),
        (0x11, "US", dataset.Columns),
        (0x40, "CS", "G"),
        (0x50, "SS", [1, 1]),
        (0x100, "US", 16),
        (0x102, "US", bit),
    ):
        dataset.add_new(0x60000000 + element, vr, value)


def junk(k: int, bits: int = 4) -> Words:
    return np.random.default_rng(k).integers(0, 1 << bits, (SIZE, SIZE))


def ring(radius_px: float) -> NDArray[np.bool_]:
    row, column = np.mgrid[:SIZE, :SIZE]
    return np.abs(np.hypot(row - SIZE / 2, column - SIZE / 2) - radius_px) < 0.9


def plain(dataset: FileDataset, k: int) -> None:
    pack(dataset, values_of(dataset, -1024))


def plain_signed(dataset: FileDataset, k: int) -> None:
    pack(dataset, values_of(dataset, 0), signed=True)


def random_junk(dataset: FileDataset, k: int) -> None:
    pack(dataset, values_of(dataset, -1024) | junk(k) << 12)


def all_ones(dataset: FileDataset, k: int) -> None:
    pack(dataset, values_of(dataset, -1024) | 0xF000)


def declared_ring(dataset: FileDataset, k: int) -> None:
    pack(dataset, values_of(dataset, -1024) | ring(16) << 12)
    declare_overlay(dataset)


def declared_at_15(dataset: FileDataset, k: int) -> None:
    pack(dataset, values_of(dataset, -1024) | ring(9) << 15)
    declare_overlay(dataset, bit=15)


def undeclared_ring(dataset: FileDataset, k: int) -> None:
    pack(dataset, values_of(dataset, -1024) | ring(8) << 13)


def signed_junk(dataset: FileDataset, k: int) -> None:
    pack(dataset, (values_of(dataset, 0) & 0xFFF) | junk(k) << 12, signed=True)


def signed_ring(dataset: FileDataset, k: int) -> None:
    pack(dataset, (values_of(dataset, 0) & 0xFFF) | ring(16) << 12, signed=True)
    declare_overlay(dataset)


def extended_ring(dataset: FileDataset, k: int) -> None:
    """Signs are copied into all bits above, but for the overlay's own."""
    pack(dataset, (values_of(dataset, 0) & ~0x1000) | ring(16) << 12, signed=True)
    declare_overlay(dataset)


def below(dataset: FileDataset, k: int) -> None:
    pack(dataset, values_of(dataset, -1024) << 4 | junk(k), high=15)


def both_sides(dataset: FileDataset, k: int) -> None:
    words = values_of(dataset, -1024) << 2 | junk(k, 2) | ring(8) << 14
    pack(dataset, words, high=13)


def wide_words(dataset: FileDataset, k: int) -> None:
    pack(dataset, values_of(dataset, -1024) | junk(k, 20) << 12, allocated=32)


def packed(syntax: UID, dataset: FileDataset, k: int) -> None:
    pack(dataset, values_of(dataset, -1024) | junk(k) << 12, syntax=syntax)


def signed_packed(syntax: UID, dataset: FileDataset, k: int) -> None:
    pack(dataset, (values_of(dataset, 0) & 0xFFF) | junk(k) << 12, signed=True, syntax=syntax)


WITH_BITS = {
    "random": random_junk,
    "all ones": all_ones,
    "declared overlay": declared_ring,
    "declared overlay in bit 15": declared_at_15,
    "undeclared overlay": undeclared_ring,
    "signed, random": signed_junk,
    "signed, overlay": signed_ring,
    "signs copied, overlay": extended_ring,
    "below": below,
    "above and below": both_sides,
    "32 bits": wide_words,
    "RLE": lambda d, k: packed(RLELossless, d, k),
    "JPEG-LS": lambda d, k: packed(JPEGLSLossless, d, k),
    "JPEG 2000": lambda d, k: packed(JPEG2000Lossless, d, k),
    "RLE, signed": lambda d, k: signed_packed(RLELossless, d, k),
    "JPEG-LS, signed": lambda d, k: signed_packed(JPEGLSLossless, d, k),
    "JPEG 2000, signed": lambda d, k: signed_packed(JPEG2000Lossless, d, k),
}
SIGNED_PLAIN = {
    "signs not copied": lambda d, k: pack(d, values_of(d, 0) & 0xFFF, signed=True),
    "high bit 15, nothing below": lambda d, k: pack(d, values_of(d, 0) << 4, signed=True, high=15),
}


def read(change: object, folder: Path, **phantom: object) -> Intake:
    series = make_series(**phantom)
    for k, dataset in enumerate(series):
        change(dataset, k)
    write_series(folder, series)
    return read_volume(folder)


def assert_self_check_reads(intake: Intake) -> None:
    """The self-check's own reader: stored values that give the volume's HU, slice for slice."""
    for k, uid in enumerate(intake.volume.source.sop_instance_uids):
        dataset, stored = stored_pixels(intake.paths[uid])
        hu = stored * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        np.testing.assert_array_equal(np.maximum(hu, -1024), intake.volume.hu[k])


@pytest.mark.parametrize("name", WITH_BITS)
def test_bits_beside_the_values_mean_nothing(tmp_path: Path, name: str) -> None:
    control = plain_signed if "sign" in name else plain
    expected = read(control, tmp_path / "control")
    found = read(WITH_BITS[name], tmp_path / "found")
    np.testing.assert_array_equal(found.volume.hu, expected.volume.hu)
    assert found.volume.source.pixel_digest == expected.volume.source.pixel_digest
    assert expected.notes == ()
    assert found.notes == (IGNORED,)
    assert_self_check_reads(found)


@pytest.mark.parametrize("name", SIGNED_PLAIN)
def test_twos_complement_within_the_stored_bits(tmp_path: Path, name: str) -> None:
    expected = read(plain_signed, tmp_path / "control")
    found = read(SIGNED_PLAIN[name], tmp_path / "found")
    np.testing.assert_array_equal(found.volume.hu, expected.volume.hu)
    assert found.notes == ()
    assert_self_check_reads(found)


def test_words_in_big_endian_order(tmp_path: Path) -> None:
    expected = read(plain, tmp_path / "control")
    found = read(random_junk, tmp_path / "found", transfer_syntax=ExplicitVRBigEndian)
    np.testing.assert_array_equal(found.volume.hu, expected.volume.hu)
    assert found.notes == (IGNORED,)
    assert_self_check_reads(found)


def test_one_slice_alone_has_graphics(tmp_path: Path) -> None:
    def one(dataset: FileDataset, k: int) -> None:
        (undeclared_ring if k == 6 else plain)(dataset, k)

    expected, found = read(plain, tmp_path / "control"), read(one, tmp_path / "found")
    np.testing.assert_array_equal(found.volume.hu, expected.volume.hu)
    assert found.notes == ("unused bits of the pixels are set in 1 slice and were ignored",)


def metal(x: NDArray, y: NDArray, z: NDArray) -> NDArray:
    """A dental filling whose values, 1024 added, outgrow 12 bits."""
    return np.where((x + 20) ** 2 + (y - 10) ** 2 < 13**2, 3800.0, head(x, y, z))


def outgrown(dataset: FileDataset, k: int) -> None:
    pack(dataset, np.frombuffer(dataset.PixelData, "<u2").reshape(SIZE, SIZE).astype(np.int64))


def outgrown_signed(dataset: FileDataset, k: int) -> None:
    values = np.frombuffer(dataset.PixelData, "<u2").reshape(SIZE, SIZE).astype(np.int64) - 1024
    pack(dataset, values, signed=True)


def called_signed(dataset: FileDataset, k: int) -> None:
    """Unsigned values under a header that calls them signed."""
    pack(dataset, values_of(dataset, -1024), signed=True)
    dataset.RescaleIntercept = "-1024"


def overlay_in_the_values(dataset: FileDataset, k: int) -> None:
    plain(dataset, k)
    declare_overlay(dataset, bit=11)


def circle(x: NDArray, y: NDArray, z: NDArray) -> NDArray:
    return np.where(x**2 + y**2 > 92**2, -3024.0, head(x, y, z))


def circle_signed(dataset: FileDataset, k: int) -> None:
    words = np.frombuffer(dataset.PixelData, "<u2").reshape(SIZE, SIZE).astype(np.int16)
    pack(dataset, words.astype(np.int64) - 1024, signed=True)


def one_bright_voxel_in_air(dataset: FileDataset, k: int) -> None:
    """2147 in 12 signed bits beside 0: as steep as -1949 would be."""
    words = values_of(dataset, -1024)
    words = np.minimum(words, 2047)
    words[2, 2] = 2147
    pack(dataset, words, signed=True)
    dataset.RescaleIntercept = "-1024"


AMBIGUOUS = {
    "one bright voxel in air": (one_bright_voxel_in_air, {}),
    "metal beyond the bits": (outgrown, {"anatomy": metal}),
    "metal beyond the signed bits": (outgrown_signed, {"anatomy": metal}),
    "outside the circle beyond the bits": (circle_signed, {"anatomy": circle}),
    "unsigned values called signed": (
        called_signed,
        {"anatomy": lambda x, y, z: head(x, y, z) + np.where(head(x, y, z) > 500, 900.0, 0.0)},
    ),
    "an overlay in bits of the values": (overlay_in_the_values, {}),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_refused(tmp_path: Path, name: str) -> None:
    change, phantom = AMBIGUOUS[name]
    with pytest.raises(Refusal) as refusal:
        read(change, tmp_path, **phantom)
    assert refusal.value.code is Code.AMBIGUOUS_PIXELS


@pytest.mark.parametrize(("stored", "high"), [(12, 10), (12, 16), (17, 16)])
def test_bits_that_a_word_does_not_have_are_refused(tmp_path: Path, stored: int, high: int) -> None:
    def change(dataset: FileDataset, k: int) -> None:
        plain(dataset, k)
        dataset.BitsStored, dataset.HighBit = stored, high

    with pytest.raises(Refusal) as refusal:
        read(change, tmp_path)
    assert refusal.value.code is Code.UNREADABLE_PIXELS
    assert "Bits Stored and High Bit" in refusal.value.detail
