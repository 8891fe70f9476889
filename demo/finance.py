"""The finance department of the kept demo: a dozen people whose plan waits until a person approves it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from urllib.parse import quote

from demo.airflow_api import FINISHED, AirflowApi, wait_until
from demo.people import Person
from demo.progress import Progress
from demo.run import RunFailedError, days_read, failure, wait_runs
from demo.scene import FINANCE_DAG_ID, Scene

_PEOPLE = {
    "amara.okafor@finance.example.com": ("Amara", "Okafor"),
    "bruno.castellani@finance.example.com": ("Bruno", "Castellani"),
    "chidi.nwosu@finance.example.com": ("Chidi", "Nwosu"),
    "dagmar.lindqvist@finance.example.com": ("Dagmar", "Lindqvist"),
    "emeka.balogun@finance.example.com": ("Emeka", "Balogun"),
    "farah.haddad@finance.example.com": ("Farah", "Haddad"),
    "goran.petrovic@finance.example.com": ("Goran", "Petrović"),
    "hana.novakova@finance.example.com": ("Hana", "Nováková"),
    "ines.carvalho@finance.example.com": ("Ines", "Carvalho"),
    "jorge.mendoza@finance.example.com": ("Jorge", "Mendoza"),
    "kaisa.virtanen@finance.example.com": ("Kaisa", "Virtanen"),
    "lorenzo.dangelo@finance.example.com": ("Lorenzo", "D'Angelo"),
}


@dataclass(frozen=True)
class Standing:
    """How it stands with the approval.

    :param waiting: the run whose plan waits for an answer; None: none does
    :param approved_by: who approved a plan; None: nobody did
    """

    waiting: str | None
    approved_by: str | None

    @property
    def invited(self) -> frozenset[str]:
        """The addresses that should have got an e-mail."""
        return frozenset(_PEOPLE if self.approved_by else ())


def finance_people(day: date) -> list[Person]:
    """Return the people of finance.

    :param day: UTC; when their rows reach the warehouse
    """
    return [
        Person(
            employee_id=f"F{number:03d}",
            email=address,
            first_name=first,
            last_name=last,
            contact_number=None,
            permission_policies="Viewer, Analyst" if number % 3 == 0 else None,
            start_date=(day + timedelta(days=number)).isoformat(),
            access_end_date=None,
            time_zone=None,
            loaded_at=datetime.combine(day, time(8), timezone.utc),
            mailbox=address,
        )
        for number, (address, (first, last)) in enumerate(_PEOPLE.items(), 1)
    ]


def finish_runs(scene: Scene) -> None:
    """Let finance's runs go on until each has ended or waits for an answer; one was perhaps approved before an end."""
    api = scene.airflow.api
    api.wait_dag(FINANCE_DAG_ID)
    api.set_paused(FINANCE_DAG_ID, False)
    wait_until(lambda: not _at_work(api), f"the runs of {FINANCE_DAG_ID}", timeout_seconds=180)


def ask_for_approval(scene: Scene, progress: Progress) -> Standing:
    """Preview finance's plan and leave it waiting for a person, unless one waits or everybody was invited.

    :raises RunFailedError: when one of the two runs fails
    """
    progress.step("Planning for finance, whose plans a person approves")
    finish_runs(scene)
    api, emails = scene.airflow.api, scene.m3ter.emails()
    if not _waiting(api) and not all(emails.get(address) for address in _PEOPLE):
        read = days_read(scene.warehouse.load_finance(finance_people(scene.days[-1])))
        preview = api.trigger(FINANCE_DAG_ID, {**read, "mode": "dry_run"})
        wait_runs(scene, progress, lambda: [api.run(FINANCE_DAG_ID, preview)])
        run_id = api.trigger(FINANCE_DAG_ID, read)
        finish_runs(scene)
        if api.run(FINANCE_DAG_ID, run_id)["state"] == "failed":
            raise RunFailedError(failure(scene, FINANCE_DAG_ID, run_id))
    standing = Standing(next(iter(_waiting(api)), None), _approver(scene))
    progress.done(f"{len(_PEOPLE)} invitations wait for an answer" if standing.waiting else "nothing waits")
    return standing


def describe(scene: Scene, standing: Standing) -> list[str]:
    """Write where the question can be answered and what happens then, or who answered it."""
    number = len(_PEOPLE)
    if standing.waiting is None:
        by = f"approved by {standing.approved_by}; its {number} people were invited, and nothing waits"
        return [f"  {FINANCE_DAG_ID}: {by}."] if standing.approved_by else []
    run = f"{scene.airflow.url}/dags/{FINANCE_DAG_ID}/runs/{quote(standing.waiting, safe='')}"
    return [
        f"  {FINANCE_DAG_ID} waits for you: {number} invitations. See who, and answer:",
        f"    {run}/plugin/m3ter-onboarding-run",
        "    or in Airflow, Browse > Required Actions. Approve: exactly these e-mails are sent, once.",
        "    Reject: none is sent, and the next start asks again.",
    ]


def _waiting(api: AirflowApi) -> list[str]:
    """List the runs whose plan waits for an answer."""
    return [
        question["task_instance"]["dag_run_id"]
        for question in api.questions(FINANCE_DAG_ID)
        if not question["response_received"] and question["task_instance"]["state"] in {"awaiting_input", "deferred"}
    ]


def _at_work(api: AirflowApi) -> bool:
    """Return whether a run does anything else than wait for an answer."""
    waiting = _waiting(api)
    return any(run["state"] not in FINISHED and run["dag_run_id"] not in waiting for run in api.runs(FINANCE_DAG_ID))


def _approver(scene: Scene) -> str | None:
    """Return who approved a plan, by the ledger: Airflow forgets it where the task is cleared or the run deleted."""
    with scene.warehouse.connection() as ledger:
        found = ledger.execute(
            "SELECT approved_by FROM m3ter_onboarding_plan WHERE dag_id = ? AND approved_at IS NOT NULL",
            (FINANCE_DAG_ID,),
        ).fetchone()
    return str(found[0]) if found else None
