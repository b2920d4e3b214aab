"""What a status means is the same by C-STORE and by STOW-RS."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest
from pynetdicom import evt

from oarflow.node.delivery.dicom import DicomTransport
from oarflow.node.delivery.outgoing import OutgoingFile, SendResult, SendVerdict, outgoing_file
from oarflow.node.delivery.stow import judge
from oarflow.node.settings.delivery import DicomDestination
from tests.oarflow.node.delivery import bench
from tests.oarflow.node.delivery.test_peers import scripted

SHA256 = hashlib.sha256(bench.RTSTRUCT.read_bytes()).hexdigest()

AS_THE_STANDARD_HAS_IT: dict[int, SendVerdict] = {
    0x0107: SendVerdict.STORED,
    0x0110: SendVerdict.UNREACHABLE,
    0x0111: SendVerdict.STORED,
    0x0112: SendVerdict.REFUSED,
    0x0116: SendVerdict.STORED,
    0x0117: SendVerdict.REFUSED,
    0x0122: SendVerdict.REFUSED,
    0x0124: SendVerdict.REFUSED,
    0x0210: SendVerdict.REFUSED,
    0x0213: SendVerdict.UNREACHABLE,
    0xA700: SendVerdict.UNREACHABLE,
    0xA702: SendVerdict.UNREACHABLE,
    0xA7FF: SendVerdict.UNREACHABLE,
    0xA900: SendVerdict.REFUSED,
    0xA9FF: SendVerdict.REFUSED,
    0xB000: SendVerdict.STORED,
    0xB006: SendVerdict.STORED,
    0xB007: SendVerdict.STORED,
    0xC000: SendVerdict.REFUSED,
    0xC122: SendVerdict.REFUSED,
    0xFE00: SendVerdict.REFUSED,
}
"""Statuses of PS3.4 table B.2-1, PS3.7 annex C and PS3.18 I.2.2."""

WARNINGS = {0x0107, 0x0116, 0xB000, 0xB006, 0xB007}


def structure_set() -> OutgoingFile:
    return outgoing_file(bench.RTSTRUCT, "RTSTRUCT", SHA256)


def by_store(code: int) -> SendResult:
    """The outcome at a peer that answers so."""
    with scripted([(evt.EVT_C_STORE, lambda _: code)]) as port:
        to = DicomDestination(kind="dicom", ae_title="PEER", host="127.0.0.1", port=port)
        (outcome,) = DicomTransport(to, "OARFLOW").send((structure_set(),))
    return outcome


def item(code: Any = None, tag: str = "00081197") -> dict[str, Any]:
    uid = {"vr": "UI", "Value": [structure_set().sop_instance_uid]}
    reason = {} if code is None else {tag: {"vr": "US", "Value": [code]}}
    return {"Value": [{"00081155": uid, **reason}]}


def by_stow(status: int, **sequences: Any) -> SendResult:
    answer = {{"failed": "00081198", "stored": "00081199"}[k]: v for k, v in sequences.items()}
    (outcome,) = judge((structure_set(),), status, answer)
    return outcome


@pytest.mark.parametrize("code", AS_THE_STANDARD_HAS_IT)
def test_both_ways_mean_the_same(code: int) -> None:
    stored, failed = by_store(code), by_stow(409, failed=item(code))
    expected = AS_THE_STANDARD_HAS_IT[code], code in WARNINGS
    assert (stored.verdict, stored.warned) == expected
    assert (failed.verdict, failed.warned) == expected
    assert f"{code:04X}" in stored.reason
    assert failed.reason == f"{stored.reason}, HTTP status 409"


@pytest.mark.parametrize("code", [None, 0x0000, 0xB00F, "unknown", -1, 1 << 20])
def test_a_failure_that_says_nothing_known_is_a_failure(code: Any) -> None:
    assert by_stow(409, failed=item(code)).verdict is SendVerdict.REFUSED


@pytest.mark.parametrize("code", [0xA700, 0xA900, None])
def test_an_object_in_both_lists_is_not_stored(code: int | None) -> None:
    assert by_stow(202, failed=item(code), stored=item()).verdict is not SendVerdict.STORED


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0xB000, "stored, but the peer changed data elements (coercion) (B000)"),
        (0xB006, "stored, but the peer discarded data elements (B006)"),
        ("45062", "stored, but the peer discarded data elements (B006)"),
        (0xA900, "stored, but the peer warns (A900)"),
        (None, "stored"),
    ],
)
def test_a_stored_object_s_warning_is_told(code: Any, said: str) -> None:
    found = by_stow(202, stored=item(code, "00081196"))
    expected = SendResult(
        found.key, SendVerdict.STORED, f"{said}, HTTP status 202", code is not None
    )
    assert dataclasses.asdict(found) == dataclasses.asdict(expected)
