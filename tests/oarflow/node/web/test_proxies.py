"""Behind a proxy: whose word on the caller's address counts, and what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from httpx import Headers
from pydantic import ValidationError

from oarflow.node.settings import NodeSettings
from tests.oarflow.node.web import ward

PROXY, SECOND, OTHER = "10.0.0.9", "10.0.0.8", "192.0.2.77"
IPV6_PROXY = "fd00::9"


def logged_address(root: Path, peer: str, forwarded: list[str], proxies: list[str]) -> str:
    """The address of a failed sign-in in the audit log. forwarded: lines of X-Forwarded-For."""
    context = ward.make_ward(root, web={"proxies": proxies})
    visitor = ward.Visitor(context, address=peer)
    visitor.http.headers = Headers([("X-Forwarded-For", line) for line in forwarded])
    assert visitor.sign_in("nobody", "guess").status_code == 401
    (entry,) = ward.log(context)
    return entry.address


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        (PROXY, ["198.51.100.1"], "198.51.100.1"),
        (PROXY, [], PROXY),
        (PROXY, [""], PROXY),
        (OTHER, ["198.51.100.1"], OTHER),
        (OTHER, [PROXY], OTHER),
        # What the caller wrote stands before what the proxy added.
        (PROXY, ["203.0.113.5, 198.51.100.1"], "198.51.100.1"),
        (PROXY, ["203.0.113.5", "198.51.100.1"], "198.51.100.1"),
        (PROXY, ["<script>, 198.51.100.1"], "198.51.100.1"),
        (PROXY, [f"{SECOND}, 198.51.100.1"], "198.51.100.1"),
        # Two proxies of ours, one before the other.
        (PROXY, [f"203.0.113.5, 198.51.100.1, {SECOND}"], "198.51.100.1"),
        (PROXY, [SECOND], SECOND),
        (PROXY, ["198.51.100.1:40123"], "198.51.100.1"),
        (PROXY, ["[2001:db8::1]:40123"], "2001:db8::1"),
        (PROXY, ["2001:db8::1"], "2001:db8::1"),
        (IPV6_PROXY, ["203.0.113.5, 2001:db8::1"], "2001:db8::1"),
        ("fd00:0:0::9", ["198.51.100.1"], "198.51.100.1"),
        ("fd00::1:9", ["198.51.100.1"], "fd00::1:9"),
        ("testclient", ["198.51.100.1"], "testclient"),
    ],
)
def test_only_our_own_proxies_are_believed(
    tmp_path: Path, peer: str, forwarded: list[str], expected: str
) -> None:
    assert logged_address(tmp_path, peer, forwarded, ["10.0.0.8/31", IPV6_PROXY]) == expected


def test_nobody_is_believed_by_default(tmp_path: Path) -> None:
    assert NodeSettings().web.proxies == ()
    assert logged_address(tmp_path, "127.0.0.1", ["198.51.100.1"], []) == "127.0.0.1"


def test_not_everybody_can_be_believed() -> None:
    with pytest.raises(ValidationError, match="proxies"):
        NodeSettings.model_validate({"web": {"proxies": ["*"]}})


def test_a_proxy_that_is_no_address_is_an_error() -> None:
    with pytest.raises(ValidationError, match="proxies"):
        NodeSettings.model_validate({"web": {"proxies": ["proxy.example.org"]}})


def via(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


def test_who_guesses_through_the_proxy_shuts_nobody_else_out(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path, web={"proxies": [PROXY]})
    visitor = ward.Visitor(context, address=PROXY)
    guesses = [
        visitor.sign_in("nobody", f"guess {k}", via("198.51.100.1")).status_code for k in range(21)
    ]
    assert guesses == [401] * 20 + [429]
    assert visitor.sign_in(ward.OPERATOR, headers=via("198.51.100.1")).status_code == 429
    assert visitor.sign_in(ward.OPERATOR, headers=via("198.51.100.2")).status_code == 303
    assert {entry.address for entry in ward.log(context)} == {"198.51.100.1", "198.51.100.2"}


def test_a_forged_header_from_elsewhere_is_not_believed(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path, web={"proxies": [PROXY]})
    visitor = ward.Visitor(context, address=OTHER)
    answers = [
        visitor.sign_in("nobody", f"guess {k}", via(f"198.51.100.{k}")).status_code
        for k in range(21)
    ]
    assert answers == [401] * 20 + [429]
    assert {entry.address for entry in ward.log(context)} == {OTHER}


def test_a_header_forged_before_the_proxy_is_not_believed(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path, web={"proxies": [PROXY]})
    visitor = ward.Visitor(context, address=PROXY)
    answers = [
        visitor.sign_in("nobody", "guess", via(f"203.0.113.{k}, 198.51.100.1")).status_code
        for k in range(21)
    ]
    assert answers == [401] * 20 + [429]
