"""Who gets in, who may do what, and what a foreign page cannot do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from oarflow.node.audit import Person, first_broken
from oarflow.node.database.models import User, WebSession, now
from oarflow.node.settings import NodeSettings
from oarflow.node.states import State
from oarflow.node.web import sign_in, users
from oarflow.node.web.passwords import verify_password
from oarflow.node.web.protection import Throttle
from oarflow.node.web.sessions import digest
from tests.oarflow.node.delivery import bench
from tests.oarflow.node.web import ward


@pytest.mark.parametrize("path", ["/", "/studies/1", "/studies/1/report.html", "/audit"])
def test_nothing_is_shown_to_those_who_did_not_sign_in(tmp_path: Path, path: str) -> None:
    answer = ward.Visitor(ward.make_ward(tmp_path)).get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_signing_in_and_out(tmp_path: Path) -> None:
    visitor = ward.signed_in(ward.make_ward(tmp_path))
    kept = dict(visitor.http.cookies)
    assert visitor.get("/").status_code == 200
    assert visitor.post("/sign-out").status_code == 303
    visitor.http.cookies.update(kept)
    assert visitor.get("/").status_code == 303


def test_the_cookie_is_not_for_scripts_and_the_database_does_not_hold_it(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    cookie = ward.Visitor(context).sign_in(ward.OPERATOR).headers["set-cookie"]
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    token = cookie.split("=", 1)[1].split(";")[0]
    with context.database.read() as session:
        (row,) = session.query(WebSession)
        (user, _) = session.query(User).order_by(User.name)
        assert row.token_hash == digest(token)
        assert user.password_hash.startswith("$argon2id$")
        assert ward.PASSWORDS[ward.OPERATOR] not in user.password_hash


def test_behind_tls_the_cookie_never_travels_without(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path, web={"plain_http": True})
    answer = ward.Visitor(context).sign_in(ward.OPERATOR, "wrong")
    assert "Secure" in answer.headers["set-cookie"]
    assert "max-age" in answer.headers["strict-transport-security"]


def test_wrong_passwords_lock_a_user_out_for_a_while(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    visitor = ward.Visitor(context)
    answers = [visitor.sign_in(ward.VIEWER, "wrong").status_code for _ in range(5)]
    assert answers == [401] * 5
    assert visitor.sign_in(ward.VIEWER).status_code == 401
    assert visitor.sign_in(ward.OPERATOR).status_code == 303
    with context.database.write() as session:
        user = users.find(session, ward.VIEWER)
        assert user is not None
        assert user.locked_until is not None
        assert timedelta() < user.locked_until - now() <= timedelta(minutes=1)
        user.locked_until = now() - timedelta(seconds=1)
    assert ward.Visitor(context).sign_in(ward.VIEWER).status_code == 303


def test_an_address_that_guesses_has_to_wait(tmp_path: Path) -> None:
    visitor = ward.Visitor(ward.make_ward(tmp_path))
    answers = [visitor.sign_in("nobody", f"guess {k}").status_code for k in range(21)]
    assert answers == [401] * 20 + [429]
    assert visitor.sign_in(ward.OPERATOR).status_code == 429


def test_a_throttle_forgets() -> None:
    moment = [0.0]
    throttle = Throttle(2, 10, clock=lambda: moment[0])
    throttle.count("a")
    throttle.count("a")
    assert (throttle.full("a"), throttle.full("b")) == (True, False)
    moment[0] = 11
    assert not throttle.full("a")


def test_a_sign_in_ends(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    visitor = ward.signed_in(context)
    with context.database.write() as session:
        (row,) = session.query(WebSession)
        row.expires_at = now() - timedelta(seconds=1)
    assert visitor.get("/").status_code == 303


@pytest.mark.parametrize("cookie", ["", "x", "x" * 3000, "known", "ended"])
def test_a_cookie_is_looked_up_while_somebody_else_writes(tmp_path: Path, cookie: str) -> None:
    """A write transaction is open all the time: a reader does not wait for it."""
    context = ward.make_ward(tmp_path, database={"busy_seconds": 0.1})
    visitor = ward.signed_in(context)
    if cookie not in ("known", "ended"):
        visitor.http.cookies.set("oarflow", cookie)
    with context.database.write() as session:
        if cookie == "ended":
            session.query(WebSession).delete()
    with context.database.write():
        answer = visitor.get("/live?keys=x")
    assert answer.status_code == (200 if cookie == "known" else 401)


def test_a_password_is_compared_before_a_transaction_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is slow on purpose: senders would have to wait meanwhile."""
    context = ward.make_ward(tmp_path, database={"busy_seconds": 0.1})

    def compared(password: str, kept: str | None) -> bool:
        with context.database.write():  # nobody else writes now
            return verify_password(password, kept)

    monkeypatch.setattr(sign_in, "verify_password", compared)
    assert ward.Visitor(context).sign_in(ward.OPERATOR).status_code == 303
    assert ward.Visitor(context).sign_in(ward.OPERATOR, "wrong").status_code == 401
    assert ward.Visitor(context).sign_in("nobody", "wrong").status_code == 401


def test_a_page_that_refreshes_itself_keeps_no_sign_in_alive(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    visitor = ward.signed_in(context)
    soon = now() + timedelta(minutes=5)
    with context.database.write() as session:
        session.query(WebSession).update({"expires_at": soon})
    assert visitor.get("/live?keys=x").status_code == 200
    with context.database.read() as session:
        assert session.query(WebSession).one().expires_at == soon
    visitor.get("/")
    with context.database.read() as session:
        assert session.query(WebSession).one().expires_at > soon


def test_a_new_password_and_disabling_end_sign_ins(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    setup = Person("setup")
    first = ward.signed_in(context)
    with context.database.write() as session:
        users.put(session, ward.OPERATOR, "another long password", users.UserRole.OPERATOR, setup)
    assert first.get("/").status_code == 303
    second = ward.Visitor(context)
    second.sign_in(ward.OPERATOR, "another long password")
    assert second.get("/").status_code == 200
    with context.database.write() as session:
        users.disable(session, ward.OPERATOR, setup)
    assert second.get("/").status_code == 303
    assert second.sign_in(ward.OPERATOR, "another long password").status_code == 401


@pytest.mark.parametrize(("name", "password"), [("Jane Doe", "x" * 12), ("jane", "x" * 11)])
def test_names_and_passwords_that_are_not_accepted(
    tmp_path: Path, name: str, password: str
) -> None:
    context = ward.make_ward(tmp_path)
    with (
        context.database.write() as session,
        pytest.raises(ValueError, match=r"user name may|password needs"),
    ):
        users.put(session, name, password, users.UserRole.VIEWER, Person("setup"))


def _delivered(context: object) -> str:
    job_id = bench.add_job(context)  # type: ignore[arg-type]
    return bench.look(context, job_id).key  # type: ignore[arg-type]


@pytest.mark.parametrize("action", ["resend", "retry", "cancel", "release"])
def test_a_viewer_only_looks(tmp_path: Path, action: str) -> None:
    context = ward.make_ward(tmp_path)
    job_id = bench.add_job(context)
    visitor = ward.signed_in(context, ward.VIEWER)
    page = f"/studies/{bench.look(context, job_id).key}"
    assert "<button>Sign out" in visitor.get(page).text
    assert "/cancel" not in visitor.get(page).text
    assert visitor.post(f"{page}/{action}").status_code == 403
    assert visitor.get("/audit").status_code == 403
    assert bench.look(context, job_id).state is State.SEGMENTED


@pytest.mark.parametrize(
    ("headers", "csrf", "status"),
    [
        ({}, "", 403),
        ({}, "guessed", 403),
        ({"origin": "http://evil.example"}, None, 403),
        ({"sec-fetch-site": "cross-site"}, None, 403),
        ({"host": "evil.example"}, None, 421),
        ({"origin": "http://localhost"}, None, 303),
    ],
)
def test_a_foreign_page_cannot_act(
    tmp_path: Path, headers: dict[str, str], csrf: str | None, status: int
) -> None:
    context = ward.make_ward(tmp_path)
    job_id = bench.add_job(context)
    visitor = ward.signed_in(context)
    fields = {"csrf": visitor.csrf() if csrf is None else csrf}
    path = f"/studies/{bench.look(context, job_id).key}/cancel"
    assert visitor.http.post(path, data=fields, headers=headers).status_code == status
    expected = State.CANCELLED if status == 303 else State.SEGMENTED
    assert bench.look(context, job_id).state is expected


def test_nobody_is_signed_in_by_a_form_of_another_page(tmp_path: Path) -> None:
    visitor = ward.Visitor(ward.make_ward(tmp_path))
    fields = {"name": ward.OPERATOR, "password": ward.PASSWORDS[ward.OPERATOR], "token": ""}
    assert visitor.http.post("/sign-in", data=fields).status_code == 403


def test_a_token_of_one_is_worth_nothing_to_another(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    one, other = ward.signed_in(context), ward.signed_in(context)
    answer = one.http.post("/sign-out", data={"csrf": other.csrf()})
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/", "/sign-in", "/healthz", "/nowhere", "/static/node.js"])
def test_every_answer_tells_browsers_to_be_strict(tmp_path: Path, path: str) -> None:
    headers = ward.signed_in(ward.make_ward(tmp_path)).get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_large_and_endless_bodies_are_turned_away(tmp_path: Path) -> None:
    visitor = ward.signed_in(ward.make_ward(tmp_path))
    assert visitor.post("/search", term="x" * 20000).status_code == 413
    endless = visitor.http.post("/search", content=iter([b"term=x"]))
    assert endless.status_code == 411


def test_beyond_this_machine_passwords_need_tls() -> None:
    with pytest.raises(ValidationError, match="needs tls"):
        NodeSettings.model_validate({"web": {"host": "0.0.0.0"}})
    NodeSettings.model_validate({"web": {"host": "0.0.0.0", "plain_http": True}})


def test_what_persons_do_is_written_down_and_stays(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    key = bench.look(context, bench.add_job(context)).key
    visitor = ward.signed_in(context)
    ward.Visitor(context).sign_in("hunter2", "wrong")
    visitor.post("/search", term="zebediah")
    visitor.get(f"/studies/{key}")
    visitor.post(f"/studies/{key}/cancel")
    told = [(entry.user, entry.action, entry.subject) for entry in ward.log(context)]
    assert ("(unknown)", "sign in failed", "") in told
    assert ("jane", "view", key) in told
    assert ("jane", "cancel", key) in told
    (found,) = [entry for entry in ward.log(context) if entry.action == "search"]
    assert found.detail == {"term": "zebediah", "jobs": [key]}
    with context.database.read() as session:
        assert first_broken(session) is None
    for change in ("UPDATE audit_log SET user = 'joe'", "DELETE FROM audit_log"):
        with pytest.raises(SQLAlchemyError), context.database.write() as session:
            session.execute(text(change))


def test_a_forged_audit_log_shows(tmp_path: Path) -> None:
    """Somebody with the database file in hand drops the trigger and changes an entry."""
    context = ward.make_ward(tmp_path)
    ward.signed_in(context).get("/")
    with context.database.write() as session:
        session.execute(text("DROP TRIGGER audit_log_no_UPDATE"))
        session.execute(text("UPDATE audit_log SET user = 'joe' WHERE id = 2"))
        assert first_broken(session) == 2
