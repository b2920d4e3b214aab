"""A node's page with users and studies, and somebody who looks at it."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from httpx import Response
from starlette.testclient import TestClient

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.database.models import AuditEntry, User
from oarflow.node.web.application import make_application
from oarflow.node.web.passwords import hash_password
from oarflow.node.web.users import UserRole
from tests.oarflow.node.delivery import bench

OPERATOR, VIEWER = "jane", "joe"
PASSWORDS = {OPERATOR: "correct horse battery", VIEWER: "staple staple staple"}


def make_ward(root: Path, **sections: Any) -> NodeContext:
    """A node with an operator and a viewer. Nothing delivers: states stay as they are put."""
    sections.setdefault("delivery", bench.to_folder(root / "share"))
    context = bench.make_context(root, **sections)
    with context.database.write() as session:
        for name, role in ((OPERATOR, UserRole.OPERATOR), (VIEWER, UserRole.VIEWER)):
            session.add(User(name=name, password_hash=hashed(name), role=role.value))
    return context


@functools.cache
def hashed(name: str) -> str:
    """The hash of a user's password, made once: it is slow on purpose."""
    return hash_password(PASSWORDS[name])


@dataclass
class Visitor:
    """A browser without a screen. trouble: what the node's parts say; address: where it is."""

    context: NodeContext
    trouble: dict[str, str | None] = field(default_factory=dict)
    address: str = "127.0.0.1"

    def __post_init__(self) -> None:
        node = replace(self.context, health=lambda: self.trouble)
        self.http = TestClient(
            make_application(node),
            base_url="http://localhost",
            follow_redirects=False,
            client=(self.address, 50000),
        )

    def get(self, path: str, **more: Any) -> Response:
        return self.http.get(path, **more)

    def post(self, path: str, page: str = "/", **fields: str) -> Response:
        """Send a form as it stands on a page, with the page's token."""
        return self.http.post(path, data={"csrf": self.csrf(page), **fields})

    def csrf(self, page: str = "/") -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(page).text)
        return found[1] if found else ""

    def sign_in(
        self, name: str, password: str | None = None, headers: dict[str, str] | None = None
    ) -> Response:
        found = re.search(r'name="token" value="([^"]+)"', self.get("/sign-in").text)
        token = found[1] if found else ""
        if password is None:
            password = PASSWORDS[name]
        fields = {"name": name, "password": password, "token": token}
        return self.http.post("/sign-in", data=fields, headers=headers)


def signed_in(context: NodeContext, name: str = OPERATOR) -> Visitor:
    """Somebody at the page."""
    visitor = Visitor(context)
    assert visitor.sign_in(name).status_code == 303
    return visitor


def log(context: NodeContext) -> list[AuditEntry]:
    """The audit log."""
    with context.database.read() as session:
        return list(session.query(AuditEntry).order_by(AuditEntry.id))
