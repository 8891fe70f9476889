"""Links to the page in Airflow's UI, for texts that lead there."""

from __future__ import annotations

from urllib.parse import quote

from airflow.sdk.configuration import conf

#: Airflow's name for the tab of a run that shows the page (see ``page/plugin.py``).
RUN_ROUTE = "m3ter-onboarding-run"
#: And for the page itself, in its menu.
NAV_ROUTE = "m3ter-onboarding"


def run_page(dag_id: str, run_id: str) -> str:
    """Return the address of a run's page; without a host where Airflow's ``[api] base_url`` is not set here."""
    base = conf.get("api", "base_url", fallback="/").rstrip("/")
    return f"{base}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}/plugin/{RUN_ROUTE}"


def day_one_page() -> str:
    """Return the address of the screen that shows who starts soon; its host as in :func:`run_page`."""
    base = conf.get("api", "base_url", fallback="/").rstrip("/")
    return f"{base}/plugin/{NAV_ROUTE}#/day-one"


def review_page(dag_id: str, *kind: str) -> str:
    """Return the address of what waits for a person about one DAG; its host as in :func:`run_page`.

    :param kind: a decision, and perhaps a reason: these questions of the worklist alone.
    """
    base = conf.get("api", "base_url", fallback="/").rstrip("/")
    screen = "/".join(quote(part, safe="") for part in ("review", *kind))
    return f"{base}/plugin/{NAV_ROUTE}#/{screen}?dag={quote(dag_id, safe='')}"
