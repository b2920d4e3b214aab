"""Verifies the encoding of a whole DICOM data set before it is parsed.

pydicom reads a truncated or altered file as far as possible, without an error. Here every length
must fit into the enclosing element, and every sequence must end where it states.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from pydicom.datadict import dictionary_VR
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from oarflow.rtstruct.errors import ReadCode, ReadError

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())


@dataclass(frozen=True)
class ReadingLimits:
    """Limits for reading a hostile or broken file.

    The largest clinical structure sets known hold some 50 MB and a million points.
    """

    file_bytes: int = 512 * 2**20
    elements: int = 5_000_000
    depth: int = 12
    rois: int = 10_000
    contours: int = 1_000_000
    points: int = 20_000_000


@dataclass
class Survey:
    """The result of the walk through a file. Offsets are into `body`.

    body: the data set's bytes after the file meta group, inflated where they were deflated.
    declared_syntax: TransferSyntaxUID of the file meta group, None where there is none.
    syntax: the actual encoding of the bytes.
    meta_instance_uid: MediaStorageSOPInstanceUID, empty where there is none.
    """

    body: bytes
    has_preamble: bool
    has_meta: bool
    declared_syntax: UID | None
    syntax: UID
    meta_instance_uid: str = ""
    elements: int = 0
    trailing_zeros: int = 0
    disordered: int = 0
    private: set[int] = field(default_factory=set)
    unknown_vr: set[int] = field(default_factory=set)


def survey(data: bytes, limits: ReadingLimits) -> Survey:
    """Walk the whole file. Raises ReadError (NOT_DICOM, DAMAGED, TOO_LARGE)."""
    has_preamble = data[128:132] == b"DICM"
    start = 132 if has_preamble else 0
    meta, body_start = _file_meta(data, start)
    declared = UID(meta["0010"]) if "0010" in meta else None
    body = data[body_start:]
    if declared == DeflatedExplicitVRLittleEndian:
        body = _inflated(body, limits.file_bytes)
    found = _encoding(body)
    if found is None:
        raise ReadError(_code_of_garbage(has_preamble, body_start > start), _hint(data))
    result = Survey(body, has_preamble, body_start > start, declared, found, meta.get("0003", ""))
    try:
        _Walk(result, limits).run()
    except struct.error:
        raise ReadError(ReadCode.DAMAGED, "the file ends inside an element" + _hint(data)) from None
    except ReadError as error:
        raise ReadError(error.code, error.detail + _hint(data)) from None
    return result


def _code_of_garbage(has_preamble: bool, has_meta: bool) -> ReadCode:
    return ReadCode.DAMAGED if has_preamble or has_meta else ReadCode.NOT_DICOM


def _hint(data: bytes) -> str:
    """A hint at line-ending conversion, if every line feed follows a carriage return."""
    feeds = data.count(b"\n")
    if feeds > 8 and feeds == data.count(b"\r\n"):
        return (
            f"; all {feeds} bytes 0x0A follow a 0x0D: a line-ending conversion has damaged the "
            "file (sent or stored as text)"
        )
    return ""


def _file_meta(data: bytes, start: int) -> tuple[dict[str, str], int]:
    """UIDs of the file meta group by element number, and its end; `start` without a group."""
    position, uids = start, {}
    while data[position : position + 2] == b"\x02\x00":
        vr = data[position + 4 : position + 6]
        header = ">" if vr not in LONG_VRS else "<"
        if len(data) < position + 12 or (vr not in SHORT_VRS and vr not in LONG_VRS):
            raise ReadError(ReadCode.DAMAGED, "the file meta group is cut or altered")
        if header == "<":
            length, value = struct.unpack_from("<I", data, position + 8)[0], position + 12
        else:
            length, value = struct.unpack_from("<H", data, position + 6)[0], position + 8
        if value + length > len(data):
            raise ReadError(ReadCode.DAMAGED, "the file ends inside its meta group")
        if vr == b"UI":
            element = struct.unpack_from("<H", data, position + 2)[0]
            uid = data[value : value + length].rstrip(b"\0 ").decode("ascii", "replace")
            uids[f"{element:04x}"] = uid
        position = value + length
    return uids, position


def _inflated(body: bytes, limit: int) -> bytes:
    try:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        inflated = stream.decompress(body, limit)
    except zlib.error:
        raise ReadError(ReadCode.DAMAGED, "the deflated data set cannot be inflated") from None
    if stream.unconsumed_tail:
        raise ReadError(ReadCode.TOO_LARGE, f"the data set inflates to more than {limit} bytes")
    if not stream.eof:
        raise ReadError(ReadCode.DAMAGED, "the deflated data set is cut short")
    return inflated


def _encoding(body: bytes) -> UID | None:
    """The transfer syntax that the first element shows, independent of the file meta group."""
    if len(body) < 8:
        return None
    group_little = struct.unpack_from("<H", body)[0]
    group_big = struct.unpack_from(">H", body)[0]
    explicit = body[4:6] in SHORT_VRS or body[4:6] in LONG_VRS
    if group_little in (0x0004, 0x0008):
        return ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian
    return ExplicitVRBigEndian if group_big in (0x0004, 0x0008) and explicit else None


@lru_cache(maxsize=4096)
def _is_sequence(tag: int) -> bool:
    try:
        return dictionary_VR(tag) == "SQ"
    except KeyError:
        return False


class _Walk:
    def __init__(self, result: Survey, limits: ReadingLimits) -> None:
        self.result, self.limits, self.body = result, limits, result.body
        little = result.syntax != ExplicitVRBigEndian
        order = "<" if little else ">"
        self._tag: Callable[[bytes, int], tuple[int, int]] = struct.Struct(order + "HH").unpack_from
        self._long = struct.Struct(order + "I").unpack_from
        self._short = struct.Struct(order + "H").unpack_from

    def run(self) -> None:
        end = len(self.body.rstrip(b"\0"))
        explicit = self.result.syntax != ImplicitVRLittleEndian
        stop = self.data_set(0, len(self.body), explicit, 0, zeros_from=end)
        self.result.trailing_zeros = len(self.body) - stop

    def data_set(
        self, position: int, end: int, explicit: bool, depth: int, zeros_from: int | None = None
    ) -> int:
        """Walk elements until `end`, or (end = -1) an item delimiter. Returns where it ended."""
        if depth > self.limits.depth:
            raise ReadError(ReadCode.TOO_LARGE, f"sequences nest deeper than {self.limits.depth}")
        last, size = -1, len(self.body)
        while position != end:
            if zeros_from is not None and position >= zeros_from and end - position < 4096:
                break
            group, element = self._tag(self.body, position)
            tag = group << 16 | element
            if tag == ITEM_END and end == -1:
                return position + 8
            if group == 0xFFFE:
                raise ReadError(ReadCode.DAMAGED, "an item or delimiter is in a wrong place")
            if tag <= last:
                self.result.disordered += 1
            last = tag
            position = self.element(tag, position, size if end == -1 else end, explicit, depth)
        return position

    def element(self, tag: int, position: int, end: int, explicit: bool, depth: int) -> int:
        self.result.elements += 1
        if self.result.elements > self.limits.elements:
            raise ReadError(ReadCode.TOO_LARGE, f"more than {self.limits.elements} elements")
        vr, length, value = self.header(tag, position, explicit)
        if tag >> 16 & 1:
            self.result.private.add(tag)
        if vr == b"UN" and tag >> 16 & 1 == 0:
            self.result.unknown_vr.add(tag)
        nested = vr == b"SQ" or (vr in (b"", b"UN") and _is_sequence(tag))
        if length == UNDEFINED:
            if not nested and tag >> 16 & 1 == 0:
                raise ReadError(ReadCode.DAMAGED, f"{_name(tag)} must not have undefined length")
            return self.items(value, -1, explicit and vr != b"UN", depth)
        if value + length > end:
            raise ReadError(
                ReadCode.DAMAGED,
                f"{_name(tag)} declares {length} bytes, {max(0, end - value)} are left",
            )
        if length & 1:
            raise ReadError(ReadCode.DAMAGED, f"{_name(tag)} has the odd length {length}")
        if nested:
            self.items(value, value + length, explicit and vr != b"UN", depth)
        return value + length

    def header(self, tag: int, position: int, explicit: bool) -> tuple[bytes, int, int]:
        """VR (empty where implicit), length, and where the value begins."""
        if not explicit:
            return b"", self._long(self.body, position + 4)[0], position + 8
        vr = self.body[position + 4 : position + 6]
        if vr in SHORT_VRS:
            return vr, self._short(self.body, position + 6)[0], position + 8
        if vr in LONG_VRS:
            return vr, self._long(self.body, position + 8)[0], position + 12
        raise ReadError(ReadCode.DAMAGED, f"an element after {_name(tag)} has no known VR")

    def items(self, position: int, end: int, explicit: bool, depth: int) -> int:
        while position != end:
            group, element = self._tag(self.body, position)
            tag, length = group << 16 | element, self._long(self.body, position + 4)[0]
            position += 8
            if tag == SEQUENCE_END and end == -1:
                return position
            if tag != ITEM:
                raise ReadError(ReadCode.DAMAGED, "a sequence holds something that is not an item")
            if length == UNDEFINED:
                position = self.data_set(position, -1, explicit, depth + 1)
                continue
            if position + length > (len(self.body) if end == -1 else end):
                raise ReadError(ReadCode.DAMAGED, "an item reaches beyond its sequence")
            position = self.data_set(position, position + length, explicit, depth + 1)
        return position


def _name(tag: int) -> str:
    return f"element ({tag >> 16:04X},{tag & 0xFFFF:04X})"
