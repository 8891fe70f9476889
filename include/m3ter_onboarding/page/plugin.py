"""Registers the page, and the links to it, with Airflow.

Airflow loads this module in every process, each task included: so it imports neither FastAPI nor the ledger.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import BaseOperatorLink

from m3ter_onboarding.page.run_notes import RunNotes
from m3ter_onboarding.reporting.run_links import NAV_ROUTE, RUN_ROUTE, run_page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: Where the page is, below Airflow's own address.
URL_PREFIX = "/m3ter-onboarding"
#: Its name in addresses of Airflow as a tab of DAGs.
DAG_ROUTE = "m3ter-onboarding-dag"


@cache
def _app() -> Any:
    from m3ter_onboarding.page.app import make_app

    return make_app()


class LazyPage:
    """The page's ASGI application, made when it is first asked for."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        await _app()(scope, receive, send)


class _OperatorsOfOurs:
    """The onboarding operators, imported when Airflow reads a DAG's links."""

    def __get__(self, instance: object, owner: type) -> list[type[BaseOperator]]:
        return _operators()


@cache
def _operators() -> list[type[BaseOperator]]:
    from airflow.sdk import BaseOperator

    from m3ter_onboarding.tasks import approve, plan, report, send, snapshot

    return [
        value
        for module in (snapshot, plan, approve, send, report)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseOperator) and value.__module__ == module.__name__
    ]


class RunPageLink(BaseOperatorLink):
    """From a task in the grid to its run on the page."""

    operators = _OperatorsOfOurs()

    @property
    def name(self) -> str:
        """The text of the button."""
        return "m3ter onboarding"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the run's tab."""
        return run_page(ti_key.dag_id, ti_key.run_id)


class M3terOnboardingPlugin(AirflowPlugin):
    """The page: in the menu "Browse", as a tab of a DAG and of a run, and linked from the tasks; and notes on runs."""

    name = "m3ter_onboarding"
    fastapi_apps = [{"name": "m3ter onboarding", "app": LazyPage(), "url_prefix": URL_PREFIX}]  # noqa: RUF012
    # Without a slash in front: relative to Airflow's own address, which may have a path.
    external_views = [  # noqa: RUF012  (Airflow takes lists)
        {
            "name": "m3ter onboarding",
            "href": f"{URL_PREFIX[1:]}/",
            "destination": "nav",
            "category": "browse",
            "url_route": NAV_ROUTE,
        },
        {
            "name": "m3ter onboarding",
            "href": f"{URL_PREFIX[1:]}/#/dag/{{DAG_ID}}",
            "destination": "dag",
            "url_route": DAG_ROUTE,
        },
        {
            "name": "m3ter onboarding",
            "href": f"{URL_PREFIX[1:]}/#/run/{{DAG_ID}}/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": RUN_ROUTE,
        },
    ]
    operator_extra_links = [RunPageLink()]  # noqa: RUF012
    listeners = [RunNotes()]  # noqa: RUF012
