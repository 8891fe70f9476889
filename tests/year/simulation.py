"""A year of daily runs by the onboarding DAG's own tasks, each day judged by the oracle."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from sqlalchemy import Row, create_engine, inspect, text

from m3ter_onboarding import onboarding_dag
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_provider.process_state import forget_all
from m3ter_sandbox.testing import SandboxServer
from tests.support.databases import airflow_connection_named, sqlite_connection
from tests.year.oracle import COVERED, EARLY, INVITE, NOTHING, OLD, Truth, expected, truth_of
from tests.year.people import KINDS, READER, WIDENING, Person, people_of
from tests.year.settings import Settings, Year
from tests.year.simulated_time import SimulatedTime

_UTC = timezone.utc
_QUERY = """
SELECT employee_id, email, first_name, 'Family' AS last_name, permission_policies, start_date
FROM people WHERE loaded_at >= :window_start AND loaded_at < :window_end ORDER BY employee_id
"""
_TABLE = "CREATE TABLE people (employee_id, email, first_name, permission_policies, start_date, loaded_at)"
_INSERT = "INSERT INTO people VALUES (:employee_id, :email, :first_name, :policies, :start, :loaded)"
_MORNING = time(6, tzinfo=_UTC)


@dataclass(frozen=True)
class Violation:
    """A broken promise."""

    day: date
    what: str
    person: str
    kind: str
    due: str

    def __str__(self) -> str:
        return f"{self.day}: {self.what}: {self.person} ({self.kind}), due {self.due}"


@dataclass
class Outcome:
    """What a simulation came to."""

    violations: list[Violation] = field(default_factory=list)
    emails: int = 0
    runs: int = 0
    failed_runs: int = 0
    questions: int = 0

    def by_kind(self) -> Mapping[str, int]:
        """Count people with a broken promise by what it was and by kind."""
        return Counter(f"{what}: {kind}" for what, kind, _ in {(v.what, v.kind, v.person) for v in self.violations})


@dataclass
class Simulation:
    """One play of a year.

    :param folder: for warehouse and ledger.
    :param days: how long it is.
    :param count: how many people join.
    :param kinds: of the people.
    """

    m3ter: SandboxServer
    folder: Path
    days: int = 365
    count: int = 2000
    seed: int = 1
    kinds: Sequence[str] = (*KINDS, *WIDENING)
    first: date = date(2026, 1, 5)
    outcome: Outcome = field(default_factory=Outcome)

    def play(self) -> Outcome:
        """Play every day, and judge it."""
        self._year = Year(self.first, self.days)
        self._people = people_of(self.days, self.count, self.first, self.seed, kinds=self.kinds)
        self._chance = random.Random(self.seed + 1)
        self._earlier: dict[str, list[str]] = defaultdict(list)
        self._emailed: dict[str, int] = {}
        self._invited_on: dict[str, date] = {}
        self._policies: set[str] = set()
        file = self.folder / "warehouse.db"
        self._engine = create_engine(f"sqlite:///{file}")
        with self._engine.begin() as connection:
            connection.execute(text(_TABLE))
        start = datetime.combine(self.first, time(1, tzinfo=_UTC))
        with ExitStack() as stack:
            self._clock = stack.enter_context(SimulatedTime(start, self.m3ter))
            stack.enter_context(airflow_connection_named(sqlite_connection(file), "year_warehouse"))
            for number in range(self.days):
                self._day(self.first + timedelta(days=number))
            self._judge_events(self.first + timedelta(days=self.days - 1))
        self._engine.dispose()
        return self.outcome

    # -- what happens on a day ---------------------------------------------------------------------------------------

    def _day(self, day: date) -> None:
        settings = self._year.settings(day)
        self._clock.move_to(datetime.combine(day, time(4, tzinfo=_UTC)))
        self._change_m3ter(day, settings)
        self._load(day)
        self._clock.move_to(datetime.combine(day, _MORNING) + timedelta(minutes=1))
        forget_all()
        if day == self.first:  # before its first e-mail
            self._run(day, settings, params={"mode": "dry_run"}, run_type="manual", suffix="first-look")
        if self._year.pauses(day):
            return
        if self._chance.random() < 0.1:
            self._look(day, settings)
        if self._chance.random() < 0.05:
            with suppress(AirflowException):
                self._run(day, settings, reachable=False)
            self.outcome.failed_runs += 1
            return
        # Judged by this moment also after the run: what expires while it runs is for the next one.
        self._moment = self._clock.now
        known = [person for person in self._people if person.loaded <= day]
        due = self._due_of(known, settings)
        try:
            self._run(day, settings)
        except AirflowException as error:
            self.outcome.violations.append(Violation(day, f"the run failed: {error}"[:300], "", "", ""))
            return
        self._judge(day, settings, due)
        if self._chance.random() < 0.1:
            self._send_to_one(day, settings)

    def _send_to_one(self, day: date, settings: Settings) -> None:
        """Let somebody start a run that sends, about one person: it may close no question of anybody else."""
        # At once: what expires between the two runs is for the next day's.
        self._clock.move_to(self._clock.now + timedelta(minutes=1))
        known = [person for person in self._people if person.loaded <= day]
        if not known:
            return
        due = self._due_of(known, settings)
        one = self._chance.choice(known)
        with suppress(AirflowException):
            self._run(day, settings, params={"only_employee": one.employee_id}, run_type="manual", suffix="one")
        self._judge(day, settings, due)

    def _change_m3ter(self, day: date, settings: Settings) -> None:
        for policy in sorted(settings.policies - self._policies):
            self.m3ter.seed(policies=[{"name": policy}])
            self._policies.add(policy)
        for person in self._people:
            if person.kind in ("by_hand", "by_hand_expires") and person.loaded == day:
                self.m3ter.seed(invitations=[{"email": person.email}])
                self._invited_on[person.email] = day
            if person.kind == "rehired" and person.loaded == day:
                self.m3ter.seed(users=[{"email": person.email, "dtCreated": "-400d", "dtEndAccess": "-200d"}])
            invited = self._invited_on.get(person.email)
            if invited and person.accepts_after is not None and day == invited + timedelta(days=person.accepts_after):
                self.m3ter.accept(person.email)

    def _load(self, day: date) -> None:
        for person in self._people:
            change = person.changes.pop(day, None)
            if change is not None:
                address = person.email
                change(person)
                if person.email != address:
                    self._earlier[person.employee_id].append(address)
        with self._engine.begin() as connection:
            connection.execute(text("DELETE FROM people"))
            rows = [_row(person) for person in self._people if person.loaded <= day and person.active]
            if rows:
                connection.execute(
                    text("INSERT INTO people VALUES (:employee_id, :email, :first_name, :policies, :start, :loaded)"),
                    rows,
                )

    def _look(self, day: date, settings: Settings) -> None:
        """Let somebody look at one person, or at days long ago: neither sends, and neither may close a question."""
        known = [person for person in self._people if person.loaded <= day]
        if not known:
            return
        if self._chance.random() < 0.5:
            person = self._chance.choice(known)
            with suppress(AirflowException):
                self._run(day, settings, params={"mode": "dry_run", "only_employee": person.employee_id}, suffix="look")
        else:
            ago = day - timedelta(days=self._chance.randrange(10, 40))
            with suppress(AirflowException):
                self._run(ago, settings, run_type="backfill", suffix=f"backfill-{day}")

    # -- one run -----------------------------------------------------------------------------------------------------

    def _run(
        self,
        day: date,
        settings: Settings,
        *,
        params: Mapping[str, Any] | None = None,
        run_type: str = "scheduled",
        reachable: bool = True,
        suffix: str = "",
    ) -> None:
        self.outcome.runs += 1
        end = datetime.combine(day, _MORNING)
        tasks = _dag(settings).task_dict
        xcoms: dict[str, Any] = {}
        context: Any = {
            "dag_run": SimpleNamespace(
                dag_id=f"m3ter_onboarding__{settings.name}",
                run_id=f"{run_type}__{day}{suffix}",
                run_type=run_type,
                triggering_user_name=None if run_type == "scheduled" else "tester",
            ),
            "params": dict(params or {}),
            "data_interval_start": end - timedelta(days=1),
            "data_interval_end": end,
            "ti": SimpleNamespace(
                xcom_pull=lambda task_ids, key=None: xcoms.get(task_ids), xcom_push=lambda key, value: None
            ),
        }
        extra = {"timeout_seconds": 5, "requests_per_second": 1000, "allowed_domains": sorted(settings.allowed_domains)}
        values = json.loads(self.m3ter.airflow_connection(**extra))
        if not reachable:
            values["host"] = "http://127.0.0.1:9"
        failed: AirflowException | None = None
        with airflow_connection_named(json.dumps(values), "m3ter_default"):
            try:
                tasks["snapshot"].execute(context)
                xcoms["plan"] = tasks["plan"].execute(context)
                with suppress(AirflowSkipException):
                    asyncio.run(tasks["send"].aexecute(context))
            except AirflowException as error:
                failed = error
            try:
                tasks["report"].execute(context)
            except AirflowException as error:
                failed = failed or error
        if failed is not None:
            raise failed

    # -- the judgement -----------------------------------------------------------------------------------------------

    def _due_of(self, people: Iterable[Person], settings: Settings) -> dict[str, tuple[str, str]]:
        """Return what is due for people when the run begins and when it is over, by employee.

        What expires, or cools off, while the run reads it may be seen either way.
        """
        invitations, users = self.m3ter.invitations(), self.m3ter.users()
        moments = (self._moment, self._moment + timedelta(minutes=10))
        views = [(truth_of(invitations, users, moment), moment) for moment in moments]

        def due(person: Person, truth: Truth, moment: datetime) -> str:
            return expected(person, self._earlier[person.employee_id], truth, settings, moment)

        return {person.employee_id: (due(person, *views[0]), due(person, *views[1])) for person in people}

    def _judge(self, day: date, settings: Settings, due: Mapping[str, tuple[str, str]]) -> None:
        emails = self.m3ter.emails()
        people = {person.email: person for person in self._people}
        for address, count in emails.items():
            new = count - self._emailed.get(address, 0)
            if new:
                person = people.get(address)
                if new > 1 or person is None or INVITE not in due.get(person.employee_id, ()):
                    self._violate(day, f"{new} e-mail(s) that nobody was due", person, address, due)
                self._invited_on[address] = day
        self._emailed = emails
        self.outcome.emails = sum(emails.values())
        listed, known = self._listed(), {person.employee_id: person for person in self._people}
        self.outcome.questions = len(listed)
        due = self._due_of((person for person in self._people if person.loaded <= day), settings)
        for employee, whens in due.items():
            if set(whens) == {INVITE}:
                self._violate(day, "forgotten", known[employee], employee, due)
            elif not any(self._is_cared_for(one, listed.get(employee, ())) for one in whens):
                self._violate(day, "in no list", known[employee], employee, due)
        for employee in self._listed_as_gone():
            if known[employee].active:
                self._violate(day, "listed as gone from the warehouse", known[employee], employee, due)
        for employee, reasons in listed.items():
            # The list may still say why the row of somebody too old is not invited; nothing is lost by that.
            if OLD not in due[employee] and not set(due[employee]) & reasons:
                self._violate(day, f"listed as {sorted(reasons)}", known[employee], employee, due)

    @staticmethod
    def _is_cared_for(due: str, reasons: Collection[str]) -> bool:
        """Return whether nothing is left to be done about what is due, or a list shows it."""
        return due in (COVERED, NOTHING, OLD, EARLY, INVITE) or due in reasons

    def _judge_events(self, day: date) -> None:
        """Check that the state of each invitation is where its events lead, one after the other."""
        with self._engine.connect() as connection:
            rows = connection.execute(text("SELECT invitation_id, state FROM m3ter_invitation")).all()
            events = connection.execute(
                text("SELECT invitation_id, from_state, to_state FROM m3ter_invitation_event ORDER BY event_id")
            ).all()
        led_to: dict[int, str | None] = defaultdict(lambda: None)
        for invitation_id, before, after in events:
            if led_to[invitation_id] != before:
                self._violate(day, f"an event from {before!r} after one to {led_to[invitation_id]!r}", None, "", {})
            led_to[invitation_id] = after
        for invitation_id, state in rows:
            if led_to[invitation_id] != state:
                what = f"{state!r} is not explained: events lead to {led_to[invitation_id]!r}"
                self._violate(day, what, None, str(invitation_id), {})

    def _violate(
        self, day: date, what: str, person: Person | None, address: str, due: Mapping[str, tuple[str, str]]
    ) -> None:
        kind, employee = (person.kind, person.employee_id) if person else ("?", address)
        whens = dict.fromkeys(due.get(employee, ("?",)))
        self.outcome.violations.append(Violation(day, what, employee, kind, " or ".join(whens)))

    def _listed(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for row in self._open_entries():
            found[row.employee_id].add(f"{row.decision}:{row.reason}")
        return found

    def _listed_as_gone(self) -> set[str]:
        return {row.employee_id for row in self._open_entries() if row.gone_at is not None}

    def _open_entries(self) -> Sequence[Row[Any]]:
        with self._engine.connect() as connection:
            if not inspect(connection).has_table("m3ter_onboarding_worklist"):
                return ()
            return connection.execute(text("SELECT * FROM m3ter_onboarding_worklist WHERE closed_at IS NULL")).all()


def _row(person: Person) -> dict[str, Any]:
    return {
        "employee_id": person.employee_id,
        "email": person.email,
        "first_name": person.first_name,
        "policies": person.policies,
        "start": person.start and person.start.isoformat(),
        "loaded": f"{person.loaded} 03:00:00",
    }


@lru_cache(maxsize=32)
def _dag(settings: Settings) -> Any:
    values = {
        "name": settings.name,
        "warehouse_conn_id": "year_warehouse",
        "query": "hires.sql",
        "max_age_days": settings.max_age_days,
        "invite_days_before_start": settings.invite_days_before_start,
        "permission_policies": [READER],
        "allowed_permission_policies": list(settings.allowed_policies),
        "exclude": {"domains": sorted(settings.excluded_domains)},
        "if_rehire": settings.if_rehire,
        "reinvite": settings.reinvite,
        "cool_off_days": settings.cool_off_days,
        "max_invitations": None,
        "stop_after_failures": None,
        "full_snapshot_every": "1d",
    }
    return onboarding_dag(OnboardingConfig.from_mapping(values, query_text=_QUERY))
