"""The meaning of a peer's status for a sent object (PS3.4 B.2.3, PS3.7 C, PS3.18 I.2.2).

C-STORE's statuses and STOW-RS's failure and warning reasons are the same codes.
"""

from __future__ import annotations

from dataclasses import dataclass

from oarflow.node.delivery.outgoing import SendVerdict

SUCCESS, DUPLICATE = 0x0000, 0x0111


@dataclass(frozen=True)
class Meaning:
    """words: a phrase that ends with the code. warned: stored, but perhaps changed."""

    verdict: SendVerdict
    words: str
    warned: bool = False


_STORED = {
    SUCCESS: "stored",
    # The UID follows from the content, so the duplicate is the same object.
    DUPLICATE: "was there already (duplicate SOP instance, 0111)",
}
_WARNINGS = {
    0x0001: "the peer does not support optional attributes",
    0x0107: "the peer reports attributes in error",
    0x0116: "the peer finds a value out of range",
    0xB000: "the peer changed data elements (coercion)",
    0xB006: "the peer discarded data elements",
    0xB007: "the peer finds that the data set does not match its SOP class",
}
_TRANSIENT = {
    0x0110: "the peer failed to process it",
    0x0213: "the peer is out of resources",
}
_REFUSALS = {
    0x0112: "no such SOP instance",
    0x0117: "invalid SOP instance",
    0x0118: "no such SOP class",
    0x0119: "class and instance contradict each other",
    0x0122: "SOP class not supported",
    0x0124: "not authorised",
    0x0210: "duplicate invocation",
    0x0211: "unrecognised operation",
    0x0212: "mistyped argument",
    0xC122: "transfer syntax not supported",
}
_REFUSING_FAMILIES = {0xA9: "the data set does not match its SOP class"}


def of_status(code: int) -> Meaning:
    """The meaning of the status (0000,0900) of a C-STORE response."""
    name = f"{code:04X}"
    if code in _STORED:
        return Meaning(SendVerdict.STORED, _STORED[code])
    if code in _WARNINGS or code >> 12 == 0xB:
        words = _WARNINGS.get(code, "the peer warns")
        return Meaning(SendVerdict.STORED, f"stored, but {words} ({name})", warned=True)
    if code in _TRANSIENT or code >> 8 == 0xA7:
        words = _TRANSIENT.get(code, "the peer is out of resources")
        return Meaning(SendVerdict.UNREACHABLE, f"{words} ({name})")
    words = _REFUSALS.get(code) or _REFUSING_FAMILIES.get(code >> 8, "")
    if not words and code >> 12 == 0xC:
        words = "it cannot understand the data set"
    detail = f"{words}, {name}" if words else name
    return Meaning(SendVerdict.REFUSED, f"the peer refuses the object ({detail})")


def of_failure(code: int | None) -> Meaning:
    """The meaning of a reason in a STOW-RS list of failed objects.

    code: FailureReason (0008,1197), None if absent. Only a code that the standard defines as stored
    counts as stored.
    """
    if code is None:
        return Meaning(SendVerdict.REFUSED, "the peer did not store it, without a reason")
    meaning = of_status(code)
    defined = code == DUPLICATE or code in _WARNINGS
    if meaning.verdict is SendVerdict.STORED and not defined:
        return Meaning(
            SendVerdict.REFUSED, f"the peer did not store it, for an unknown reason ({code:04X})"
        )
    return meaning


def of_warning(code: int | None) -> Meaning:
    """The meaning of a reason in a STOW-RS list of stored objects.

    code: WarningReason (0008,1196), None if absent.
    """
    meaning = of_status(code or SUCCESS)
    if meaning.verdict is SendVerdict.STORED:
        return meaning
    return Meaning(SendVerdict.STORED, f"stored, but the peer warns ({code:04X})", warned=True)
