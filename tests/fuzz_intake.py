"""Damage series in many ways: the intake must refuse, or the damage must be harmless.

`python -m tests.fuzz_intake --cases 2000` runs the whole; a smoke run is among the tests. Real
series take part where OARFLOW_DATA names the data folder.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import FileDataset, dcmread
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from oarflow.errors import Refusal
from oarflow.intake import SeriesRules, read_volume
from oarflow.volume import Volume
from tests.phantoms import make_series, write_series

RULES = SeriesRules(min_slices=3)
MAX_SECONDS = 20.0
MANY = 12
"""A real series of more slices is damaged in its images too."""
HEADER_BYTES = 1800
"""Most bytes of a file that count as its header."""

_SMALL = {"slices": 12, "rows": 36, "columns": 36, "spacing_yx": (5.5, 5.5)}
Files = list[bytes]
SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "openkbp_validation" / "ct"
REAL_SLICES = slice(30, 50)
NAMES = ("CT.{:03d}.dcm", "IM{:04d}", "{:08d}", "1.2.840.9.1.{}", "slice{:03d}.img", "{:032x}")
"""How exporters name files: with a suffix and without."""


@dataclass(frozen=True, eq=False)
class Base:
    """A sound series, the same of another patient, and what each slice of it is read as."""

    name: str
    files: Files
    other: Files
    real: bool
    positions: dict[str, NDArray[np.float64]]
    hu: dict[str, NDArray[np.float32]]


def bases() -> list[Base]:
    """Series to damage."""
    found = []
    for name, changes, preamble in (
        ("plain", {}, True),
        ("bare", {"transfer_syntax": ImplicitVRLittleEndian}, False),
        ("rle", {"transfer_syntax": RLELossless}, True),
        ("jpeg2000", {"transfer_syntax": JPEG2000Lossless}, True),
        ("decubitus", {"patient_position": "HFDL", "signed": True}, True),
    ):
        one, two = (_phantom(who, changes, preamble=preamble) for who in ("one", "two"))
        found.append(_base(name, one, two))
    real = {"sample": [path.read_bytes() for path in sorted(SAMPLE.iterdir())[REAL_SLICES]]}
    data = Path(os.environ.get("OARFLOW_DATA") or SAMPLE, "dicom")
    if (data / "hn_becker").exists():
        becker = sorted((data / "hn_becker").glob("CT.*.dcm"))
        real["becker"] = [path.read_bytes() for path in becker]
    if (data / "hn_picker.tar.xz").exists():
        real["picker"] = _unpacked(data / "hn_picker.tar.xz")[REAL_SLICES]
    return found + [_base(name, files, found[1].other, real=True) for name, files in real.items()]


def _unpacked(archive: Path) -> Files:
    """The archive's slices in the order of their names."""
    with tempfile.TemporaryDirectory() as name, tarfile.open(archive) as tar:
        tar.extractall(name, filter="data")
        return [path.read_bytes() for path in sorted(Path(name).rglob("*")) if path.is_file()]


def _phantom(who: str, changes: Mapping[str, object], *, preamble: bool) -> Files:
    series = make_series(patient=who, **{**_SMALL, **changes})
    with tempfile.TemporaryDirectory() as name:
        return [path.read_bytes() for path in write_series(Path(name), series, preamble=preamble)]


def _base(name: str, files: Files, other: Files, *, real: bool = False) -> Base:
    with tempfile.TemporaryDirectory() as folder:
        _put(Path(folder), files, NAMES[0])
        volume = read_volume(Path(folder), RULES).volume
    uids = volume.source.sop_instance_uids
    positions = dict(zip(uids, volume.grid.positions_lps, strict=True))
    return Base(name, files, other, real, positions, dict(zip(uids, volume.hu, strict=True)))


def _put(folder: Path, files: Files, form: str) -> None:
    for k, content in enumerate(files):
        (folder / form.format(k)).write_bytes(content)


def drop(files: Files, base: Base, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 3)):
        files.pop(rng.randrange(len(files)))


def duplicate(files: Files, base: Base, rng: random.Random) -> None:
    files.append(rng.choice(files))


def shuffle(files: Files, base: Base, rng: random.Random) -> None:
    rng.shuffle(files)


def truncate(files: Files, base: Base, rng: random.Random) -> None:
    k = rng.randrange(len(files))
    end = rng.choice((rng.randrange(len(files[k])), rng.randrange(HEADER_BYTES)))
    files[k] = files[k][:end]


def _flip(content: bytes, first: int, last: int, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(first, min(last, len(content)))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def flip_header(files: Files, base: Base, rng: random.Random) -> None:
    k = rng.randrange(len(files))
    files[k] = _flip(files[k], 0, HEADER_BYTES, rng)


def flip_anywhere(files: Files, base: Base, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 4)):
        k = rng.randrange(len(files))
        files[k] = _flip(files[k], 0, len(files[k]), rng)


def zero_block(files: Files, base: Base, rng: random.Random) -> None:
    k = rng.randrange(len(files))
    start = rng.randrange(len(files[k]))
    length = rng.randint(16, 600)
    changed = bytearray(files[k])
    changed[start : start + length] = b"\0" * len(changed[start : start + length])
    files[k] = bytes(changed)


def cut_out(files: Files, base: Base, rng: random.Random) -> None:
    k = rng.randrange(len(files))
    start = rng.randrange(len(files[k]))
    files[k] = files[k][:start] + files[k][start + rng.randint(1, 300) :]


def foreign_slice(files: Files, base: Base, rng: random.Random) -> None:
    files[rng.randrange(len(files))] = rng.choice(base.other)


def foreign_header(files: Files, base: Base, rng: random.Random) -> None:
    """The first part of one patient's file before the rest of another's."""
    k = rng.randrange(len(files))
    end = rng.randrange(200, HEADER_BYTES)
    files[k] = rng.choice(base.other)[:end] + files[k][end:]


def garbage(files: Files, base: Base, rng: random.Random) -> None:
    files[rng.randrange(len(files))] = rng.randbytes(rng.randrange(3000))


def _with_pixels(content: bytes, pixels: NDArray[np.integer]) -> bytes:
    """An uncompressed slice with other stored values: they end the file."""
    stored = np.ascontiguousarray(pixels).tobytes()
    return content[: -len(stored)] + stored


def _pixels(content: bytes) -> NDArray[np.integer]:
    dataset = dcmread(io.BytesIO(content), force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return np.asarray(dataset.pixel_array)


def exchange_pixels(files: Files, base: Base, rng: random.Random) -> None:
    """Pixels under each other's headers: in sixes, of two slices far apart, of two runs."""
    pixels = [_pixels(content) for content in files]
    order = list(range(len(files)))
    way = rng.randrange(3)
    if way == 0:
        for start in range(0, len(order), 6):
            group = order[start : start + 6]
            order[start : start + 6] = [group[k] for k in (2, 5, 0, 3, 1, 4) if k < len(group)]
    elif way == 1:
        low = rng.randrange(1, len(order) - 9)
        high = rng.randrange(low + 8, len(order) - 1)
        order[low], order[high] = high, low
    else:
        one, other = rng.randint(1, 6), rng.randint(1, 6)
        low = rng.randrange(len(order) - one - other)
        middle, high = low + one, low + one + other
        order[low:high] = order[middle:high] + order[low:middle]
    files[:] = [_with_pixels(files[k], pixels[other]) for k, other in enumerate(order)]


def mirror(files: Files, base: Base, rng: random.Random) -> None:
    """One slice, or all from one on, mirrored left to right."""
    first = rng.randrange(1, len(files) - 1)
    for k in [first] if rng.random() < 0.5 else range(first, len(files)):
        files[k] = _with_pixels(files[k], _pixels(files[k])[:, ::-1])


def _changed(content: bytes, change: Callable[[FileDataset], None]) -> bytes:
    """A file with its data set changed, its pixels uncompressed."""
    dataset = dcmread(io.BytesIO(content), force=True)
    if dataset.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian).is_encapsulated:
        dataset.decompress(generate_instance_uid=False)
    change(dataset)
    changed = io.BytesIO()
    dataset.save_as(changed)
    return changed.getvalue()


def _some(files: Files, rng: random.Random) -> list[int]:
    """One slice, a few, or all."""
    return rng.sample(range(len(files)), rng.choice((1, min(5, len(files)), len(files))))


def _bits_of(base: Base) -> int:
    """Bits that hold every stored value of a series."""
    every = [_pixels(content) for content in base.files]
    low, high = min(int(v.min()) for v in every), max(int(v.max()) for v in every)
    return max(high, -1 - low).bit_length() + (every[0].dtype.kind == "i")


def _declare_overlay(dataset: FileDataset, bit: int) -> None:
    for element, vr, value in (
        (0x10, "US", dataset.Rows),
        (0x11, "US", dataset.Columns),
        (0x100, "US", 16),
        (0x102, "US", bit),
    ):
        dataset.add_new(0x60000000 + element, vr, value)


def unused_bits(files: Files, base: Base, rng: random.Random) -> None:
    """Bits above the values are junk, graphics, all ones, or zero beside negative values."""
    bits = _bits_of(base)
    if bits > 15:
        return
    way = rng.randrange(5)
    noise = np.random.default_rng(rng.randrange(1 << 30))
    bit = rng.randrange(bits, 16)

    def change(dataset: FileDataset) -> None:
        words = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, -1).astype(int)
        words &= (1 << bits) - 1
        row, column = np.indices(words.shape)
        ring = np.abs(np.hypot(row - len(row) / 2, column - len(row) / 2) - rng.randint(4, 15)) < 1
        junk = noise.integers(0, 1 << (16 - bits), words.shape) << bits
        words |= (junk, ring << bit, ring << bit, 0xFFFF >> bits << bits, 0 * ring)[way]
        if way == 2:
            _declare_overlay(dataset, bit)
        dataset.BitsStored, dataset.HighBit = bits, bits - 1
        dataset.PixelData = words.astype("<u2").tobytes()

    for k in _some(files, rng):
        files[k] = _changed(files[k], change)


def too_few_bits(files: Files, base: Base, rng: random.Random) -> None:
    """Bits Stored holds not all of the values."""
    stored = max(9, _bits_of(base) - rng.randint(1, 3))

    def change(dataset: FileDataset) -> None:
        dataset.BitsStored, dataset.HighBit = stored, stored - 1

    for k in _some(files, rng):
        files[k] = _changed(files[k], change)


def excess(files: Files, base: Base, rng: random.Random) -> None:
    """Bytes that belong to nothing, behind the pixel data or behind the data set."""
    padding = rng.choice((b"\0", b"\xff", rng.randbytes(1))) * (2 * rng.randint(1, 1200))
    padding = rng.choice((padding, rng.randbytes(len(padding))))

    def change(dataset: FileDataset) -> None:
        dataset.PixelData += padding

    behind = rng.random() < 0.5
    for k in _some(files, rng):
        files[k] = files[k] + padding if behind else _changed(files[k], change)


DAMAGES = (
    drop,
    duplicate,
    shuffle,
    truncate,
    flip_header,
    flip_anywhere,
    zero_block,
    cut_out,
    foreign_slice,
    foreign_header,
    garbage,
    unused_bits,
    too_few_bits,
    excess,
)
OF_IMAGES = (exchange_pixels, mirror)
"""Damages that only a body's image shows: real series of more than a few slices."""

_UNUSED_BITS = "unused bits"
"""In the remark on bits beside the values."""

REMARKS = ("mm apart", "neighbours", "each other's place")
"""In the remarks on steps and order of the slices."""

_BITS = (flip_header, flip_anywhere, zero_block, cut_out, foreign_header)
"""Damages that can change a voxel or a rescale without a trace: uncompressed DICOM has no check
sum. If such a series is accepted, its geometry is still compared with the sound one's."""


def run_case(base: Base, seed: int) -> str:
    """Damage a series once; the name of the damage and what came of it.

    Raises AssertionError where a harmful damage is accepted, and whatever else the intake raises.
    """
    rng = random.Random(seed)
    images = base.real and len(base.files) > MANY
    damage = rng.choice((*DAMAGES, *OF_IMAGES) if images else DAMAGES)
    form = rng.choice(NAMES)
    files = list(base.files)
    damage(files, base, rng)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        _put(Path(name), files, form)
        try:
            intake = read_volume(Path(name), RULES)
        except Refusal as refusal:
            outcome = str(refusal.code)
        else:
            outcome = "accepted, with remarks" if intake.notes else "accepted"
            told = any(word in note for note in intake.notes for word in REMARKS)
            beside = any(_UNUSED_BITS in note for note in intake.notes)
            exact = (
                damage not in _BITS
                and not (damage in OF_IMAGES and told)
                and not (damage is too_few_bits and beside)
            )
            _assert_harmless(base, intake.volume, exact=exact, told=told)
            if damage in (truncate, garbage):
                assert len(intake.volume.hu) == len(base.files), "a destroyed slice is not missed"
    assert time.monotonic() - start < MAX_SECONDS, "too slow"
    return f"{damage.__name__}: {outcome}"


def _assert_harmless(base: Base, volume: Volume, *, exact: bool, told: bool) -> None:
    """Slices lie where they lay, with their voxels where exact; none is lost without a message."""
    uids = volume.source.sop_instance_uids
    known = [uid for uid in uids if uid in base.positions]
    assert len(uids) - len(known) <= 1, "several unknown slices"
    order = list(base.positions)
    for k, uid in enumerate(uids):
        if uid not in base.positions:
            continue
        at_an_end = k in (0, len(uids) - 1)
        allowed_mm = 0.5 * abs(volume.grid.spacing_zyx[0]) if at_an_end else 0.05
        off = np.abs(volume.grid.positions_lps[k] - base.positions[uid]).max()
        assert off <= allowed_mm, f"slice {k} moved by {off} mm"
        if exact:
            np.testing.assert_array_equal(volume.hu[k], base.hu[uid])
    if len(known) == len(uids) and not told:
        first = order.index(known[0])
        assert known == order[first : first + len(known)], "a slice inside is lost"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    series = bases()
    outcomes: Counter[str] = Counter()
    failures = 0
    for seed in range(arguments.seed, arguments.seed + arguments.cases):
        base = series[seed % len(series)]
        try:
            outcomes[run_case(base, seed)] += 1
        except Exception as error:
            failures += 1
            sys.stdout.write(f"seed {seed} ({base.name}): {type(error).__name__}: {error}\n")
    for outcome, count in sorted(outcomes.items()):
        sys.stdout.write(f"{count:6d}  {outcome}\n")
    sys.stdout.write(f"{arguments.cases} cases, {failures} failures\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
