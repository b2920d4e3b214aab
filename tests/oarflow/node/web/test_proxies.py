"""Behind a proxy: whose word on the caller's address counts, and what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from oarflow.node.settings import NodeSettings
from oarflow.node.web.proxies import origin
from tests.oarflow.node.web import ward

PROXY, OTHER = "10.0.0.9", "192.0.2.77"


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        (PROXY, ["198.51.100.1"], "198.51.100.1"),
        (PROXY, [], PROXY),
        (OTHER, ["198.51.100.1"], OTHER),
        # What the caller wrote stands before what the proxy added.
        (PROXY, ["203.0.113.5, 198.51.100.1"], "198.51.100.1"),
        (PROXY, ["203.0.113.5", "198.51.100.1"], "198.51.100.1"),
        # Two proxies of ours, one before the other.
        (PROXY, ["203.0.113.5, 198.51.100.1, 10.0.0.8"], "198.51.100.1"),
        (PROXY, ["10.0.0.8"], "10.0.0.8"),
        (PROXY, ["198.51.100.1:40123"], "198.51.100.1"),
        (PROXY, ["[2001:db8::1]:40123"], "2001:db8::1"),
        (PROXY, ["2001:db8::1"], "2001:db8::1"),
        (PROXY, ["<script>"], PROXY),
        (PROXY, ["198.51.100.1, unknown"], PROXY),
        (f"::ffff:{PROXY}", ["198.51.100.1"], "198.51.100.1"),
        ("testclient", ["198.51.100.1"], "testclient"),
    ],
)
def test_only_our_own_proxies_are_believed(peer: str, forwarded: list[str], expected: str) -> None:
    assert origin(peer, forwarded, ("10.0.0.8/31",)) == expected


def test_nobody_is_believed_by_default() -> None:
    assert origin("127.0.0.1", ["198.51.100.1"], NodeSettings().web.proxies) == "127.0.0.1"


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
