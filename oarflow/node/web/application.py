"""The FastAPI application with its addresses and error pages."""

from __future__ import annotations

import logging
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.telemetry import TelemetryConfig
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from oarflow.node import metrics
from oarflow.node.assembly.parts import NodeContext
from oarflow.node.database import faults
from oarflow.node.templates.keeper import TemplateKeeper
from oarflow.node.web import actions, pages, sign_in
from oarflow.node.web.access import context_of, page, visitor
from oarflow.node.web.protection import Protection

LOGGER = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"

_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI must not send errors, whose texts may hold patient data, to an exporter of the
environment."""

router = APIRouter()


def make_application(context: NodeContext) -> Protection:
    """The application within its protection."""
    app = FastAPI(
        title="OARflow", docs_url=None, redoc_url=None, openapi_url=None, telemetry=_NO_TELEMETRY
    )
    app.state.context = context
    app.state.throttle = sign_in.throttle()
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for part in (router, sign_in.router, pages.router, actions.router):
        app.include_router(part)
    app.add_exception_handler(HTTPException, _explain)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(SQLAlchemyError, _no_database)
    app.add_exception_handler(Exception, _fault)
    # X-Forwarded-For is believed only from proxies of the settings; by default from none.
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(context.settings.web.proxies))
    return Protection(app, context.settings.web)


@router.get("/healthz")
def health(request: Request) -> JSONResponse:
    """200 if every part works, otherwise 503 and what is wrong.

    With faulty templates the node works on with those before, so that they alone do not give 503.
    """
    trouble = dict(context_of(request).health())
    wrong = {name for name, one in trouble.items() if one is not None}
    body = {"status": "trouble" if wrong else "ok", "parts": trouble}
    return JSONResponse(body, 503 if wrong - {TemplateKeeper.name} else 200)


@router.get("/metrics")
def show_metrics(request: Request) -> Response:
    """Metrics for Prometheus."""
    return Response(metrics.render(context_of(request)), media_type=metrics.CONTENT_TYPE)


def _explain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if request.url.path == "/live":
        return JSONResponse({"error": error.detail}, error.status_code)
    if error.status_code == 401:
        return RedirectResponse("/sign-in", 303)
    words = error.detail if error.status_code != 404 else "This address does not exist."
    return page("error", visitor(request), status=error.status_code, words=words)


def _not_understood(request: Request, _: Exception) -> Response:
    return page("error", visitor(request), status=422, words="The request is not valid.")


def _no_database(_: Request, error: Exception) -> Response:
    assert isinstance(error, SQLAlchemyError)
    LOGGER.error("web: %s (%s)", faults.in_words(error), type(error).__name__)
    fault = str(faults.kind_of(error)).capitalize()
    return page("error", None, status=503, words=f"{fault}. See the node's log.")


def _fault(_: Request, __: Exception) -> Response:
    # Starlette raises the error again after this page; Protection logs it.
    return page("error", None, status=500, words="The node has a fault. See its log.")
