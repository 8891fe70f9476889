"""The page's application: a login for every route, strict headers, and errors that are sentences."""

from __future__ import annotations

from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse

from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.manual_decisions import DecidedOtherwiseError
from m3ter_onboarding.ledger.reads.invitation_list import UnreadableCursorError
from m3ter_onboarding.page.access import from_this_page
from m3ter_onboarding.page.bounded_response import BoundedResponse
from m3ter_onboarding.page.onboarding_dags import OnboardingDags
from m3ter_onboarding.page.open_ledgers import Ledgers
from m3ter_onboarding.page.pause_variable import PauseVariable
from m3ter_onboarding.page.routes import (
    access_routes,
    day_one_routes,
    overview_routes,
    people_routes,
    review_routes,
    run_routes,
    static_files,
    worklist_routes,
)
from m3ter_onboarding.page.strict_headers import StrictHeaders

#: The modules of the page's API; the types of its script are made from them.
API = (
    overview_routes,
    people_routes,
    run_routes,
    review_routes,
    worklist_routes,
    access_routes,
    day_one_routes,
)


def make_app(
    dags: OnboardingDags | None = None, ledgers: Ledgers | None = None, pause: PauseVariable | None = None
) -> StrictHeaders:
    """Return the ASGI application.

    :param dags: which onboarding DAGs there are; None: what Airflow knows.
    :param ledgers: None: those that the DAGs name.
    :param pause: None: Airflow's own variable.
    """
    # For every route, also those that are added: a login, and no request that another site caused.
    app = FastAPI(
        title="m3ter onboarding",
        dependencies=[Depends(get_user), Depends(from_this_page)],
        docs_url=None,
        redoc_url=None,
        default_response_class=BoundedResponse,
        openapi_url=None,
    )
    app.state.dags = dags or OnboardingDags()
    app.state.ledgers = ledgers or Ledgers()
    app.state.pause = pause or PauseVariable()
    _explain_errors(app)
    for part in (static_files, *API):
        app.include_router(part.router)
    return StrictHeaders(app)


def _explain_errors(app: FastAPI) -> None:
    @app.exception_handler(LedgerError)
    def ledger_failed(_: Request, error: LedgerError) -> Response:
        return JSONResponse({"detail": str(error)}, 409 if isinstance(error, DecidedOtherwiseError) else 503)

    @app.exception_handler(UnreadableCursorError)
    def no_place(_: Request, error: UnreadableCursorError) -> Response:
        return JSONResponse({"detail": str(error)}, 400)

    @app.exception_handler(RequestValidationError)
    def not_understood(_: Request, error: RequestValidationError) -> Response:
        # FastAPI's own answer quotes the value, which may name a person.
        places = ", ".join(sorted({str(problem["loc"][-1]) for problem in error.errors() if problem["loc"]}))
        return JSONResponse({"detail": f"This was not understood: {places}."}, 422)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        if error.status_code == 401 and "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(static_files.text_of("login.html"), 401)
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)
