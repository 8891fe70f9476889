"""m3ter fails, lags, rewrites, forgets, refuses, or answers in any of the ways that nobody documented."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from demo.airflow_api import wait_until
from m3ter_onboarding.ledger.open_invitations import open_invitations
from tests.chaos.case_run import TASKS, CaseRun
from tests.chaos.cases import Case, NotReachedError
from tests.chaos.environment import DATABASES
from tests.chaos.fault_points import FaultPoint, at_nth, die
from tests.chaos.ledger_checks import ViolationError
from tests.chaos.scenarios import CREATE

LISTS = "/(invitations|users|permissionpolicies)$"
GARBLED = ("text", "html", "cut", "empty", "array", "missing_id", "not_utf8")

#: Faults of the POST of an invitation.
OF_POSTS: Mapping[str, Mapping[str, Any]] = {
    **{
        f"{status} {when} the invitation was made": {"kind": "status", "status": status, "when": when}
        for status in (500, 502, 503, 504)
        for when in ("before", "after")
    },
    **{
        f"{kind} {when} the invitation was made": {"kind": kind, "when": when}
        for kind in ("drop", "reset", "hang")
        for when in ("before", "after")
    },
    **{f"garbled ({garble})": {"kind": "garbled", "garble": garble} for garble in GARBLED},
    "cut off in mid-answer": {"kind": "truncated"},
    "429": {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}},
    "token revoked": {"kind": "revoke_token"},
    "late commit, no answer": {"kind": "late_commit", "seconds": 0.7, "answer": "nothing"},
    "late commit, reset": {"kind": "late_commit", "seconds": 0.4, "answer": "reset"},
    "late commit, 504": {"kind": "late_commit", "seconds": 0.4, "answer": "504"},
    "redirect": {"kind": "status", "status": 307, "headers": {"Location": "/elsewhere"}},
    "slow": {"kind": "latency", "seconds": 0.1, "jitter": 0.5},
}

#: Faults of whatever is asked.
OF_ANYTHING: Mapping[str, Mapping[str, Any]] = {
    "500": {"kind": "status", "status": 500},
    "429": {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}},
    "503 after": {"kind": "status", "status": 503, "when": "after"},
    "drop": {"kind": "drop"},
    "reset after": {"kind": "reset", "when": "after"},
    "hang": {"kind": "hang"},
    "token revoked": {"kind": "revoke_token"},
    "garbled": {"kind": "garbled", "garble": "html"},
}

PATIENT = {"settle_after": "1.2s"}
MINUTES = {"settle_after": "120s"}
IMPATIENT = {"timeout_seconds": 0.6}


def cases() -> Iterator[Case]:
    """Yield them all."""
    for database in DATABASES:
        for name, fault in OF_POSTS.items():
            values = PATIENT if fault["kind"] in ("late_commit", "latency") else {}
            for percent, people in ((1, 40), (5, 25), (20, 12)):
                act = _Faulty([{**fault, "operation": CREATE, "probability": percent / 100}], people)
                yield Case(
                    "m3ter, one fault", f"POST: {name}, {percent} %", database, act, values, connection=IMPATIENT
                )
            act = _Faulty([{**fault, "operation": CREATE, "skip": 3, "count": 4}], 10)
            yield Case("m3ter, one fault", f"POST: {name}, four in a row", database, act, values, connection=IMPATIENT)
        for name, fault in OF_ANYTHING.items():
            for percent, people in ((5, 20), (20, 10)):
                act = _Faulty([{**fault, "probability": percent / 100}], people)
                yield Case("m3ter, one fault", f"anything: {name}, {percent} %", database, act, connection=IMPATIENT)
        for number in range(40):
            yield Case("m3ter, mixed faults", f"mix {number}", database, _mixed, PATIENT, connection=IMPATIENT)
        yield from _lists(database)
        yield from _outages(database)
        yield from _switches(database)
        yield from _clocks(database)


@dataclass(frozen=True)
class _Faulty:
    """A run of so many people under these faults."""

    faults: Sequence[Mapping[str, Any]]
    people: int

    def __call__(self, case: CaseRun) -> None:
        case.hire(*(f"e{n}" for n in range(1, self.people + 1)))
        case.late_seconds = late_seconds(self.faults)
        for fault in self.faults:
            case.m3ter.faults(**{"seed": case.rng.randrange(1000), **fault})
        case.run(case.begin())
        if not all(active["hits"] for active in case.m3ter.active_faults()):
            # A share of one per cent hits nobody now and then: then the next request.
            for fault in self.faults:
                case.m3ter.faults(**{**fault, "probability": 1, "skip": 0, "count": 1})
            case.day += 1
            case.hire("late")
            case.run(case.begin())


def late_seconds(faults: Sequence[Mapping[str, Any]]) -> float:
    """Return the real seconds that m3ter may still need after these faults."""
    return max((fault["seconds"] + 0.1 for fault in faults if fault["kind"] == "late_commit"), default=0.0)


def _mixed(case: CaseRun) -> None:
    """Several faults at once, each 1 to 20 %, over two days."""
    case.hire(*(f"e{n}" for n in range(1, 13)))
    faults = [
        {**fault, "operation": CREATE, "probability": case.rng.uniform(0.01, 0.2), "seed": case.rng.randrange(1000)}
        for fault in case.rng.sample([f for f in OF_POSTS.values() if f["kind"] != "latency"], case.rng.randint(2, 5))
    ]
    faults += [
        {**fault, "probability": case.rng.uniform(0.01, 0.05), "seed": case.rng.randrange(1000)}
        for fault in case.rng.sample(list(OF_ANYTHING.values()), case.rng.randint(0, 2))
    ]
    case.late_seconds = late_seconds(faults)
    for fault in faults:
        case.m3ter.faults(**fault)
    case.run(case.begin())
    case.day += 1
    case.hire("n1", "n2", "n3")
    case.run(case.begin())


# -- the lists ------------------------------------------------------------------------------------------------------


def _lists(database: str) -> Iterator[Case]:
    act: Callable[[CaseRun], None]
    kind = "m3ter, its lists"
    for name, fault in OF_ANYTHING.items():
        if name == "503 after":
            continue
        act = _ListsFail({**fault, "method": "GET", "path": LISTS})
        yield Case(kind, f"lists fail while POSTs get no answer: {name}", database, act, connection=IMPATIENT)
    for order in ("newest_first", "oldest_first", "unstable"):
        for omitted in ((), ("dtCreated",)):
            for sparse in (False, True):
                switches = {"list_order": order, "omit_fields": omitted, "sparse_pages": sparse}
                act = _Switched({**switches, "default_page_size": 5}, answer=504)
                name = f"{order}{', without dtCreated' * bool(omitted)}{', empty pages' * sparse}"
                yield Case(kind, name, database, act)
    for lag in (0.2, 0.7):
        for when in ("before", "after"):
            act = _Switched({"list_lag_seconds": lag, "user_list_lag_seconds": lag}, answer=504, when=when)
            yield Case(kind, f"{lag} s behind, 504 {when}", database, act, PATIENT)
        for number in range(4):
            act = _Lagging(lag)
            yield Case(kind, f"{lag} s behind, killed at random, {number}", database, act, PATIENT)
    for posts in (1, 2, 3):
        yield Case(kind, f"60 s behind, killed after {posts} POSTs", database, _BehindTheLease(posts), MINUTES)
    for order in ("oldest_first", "unstable"):
        yield Case(kind, f"{order}, three pages long, killed", database, _LongList(order))
    yield Case(kind, "somebody was mirrored before the attempt", database, _mirrored_before)
    for accepted in (True, False):
        for expired in (True, False):
            act = _AcceptedAndExpired(keep_accepted=accepted, keep_expired=expired)
            kept = f"accepted {'kept' if accepted else 'missing'}, expired {'kept' if expired else 'missing'}"
            yield Case(kind, kept, database, act)


@dataclass(frozen=True)
class _ListsFail:
    """POSTs work, their answers are lost, and nobody can look."""

    fault: Mapping[str, Any]

    def __call__(self, case: CaseRun) -> None:
        m3ter = case.m3ter
        case.hire("e1", "e2", "e3", "e4", "e5", "e6")
        run = case.begin()
        case.tries(run, "snapshot")
        case.tries(run, "plan")
        m3ter.faults(**{**self.fault, "skip": 3})  # the look before the first e-mail still works
        m3ter.faults(kind="status", status=504, when="after", operation=CREATE, email="e2@example.com", count=1)
        m3ter.faults(kind="drop", when="before", operation=CREATE, email="e4@example.com", count=1)
        case.tries(run, "send")
        case.tries(run, "report")


@dataclass(frozen=True)
class _Switched:
    """A run in an m3ter of one kind; some answers are lost, so that its lists are needed."""

    switches: Mapping[str, Any]
    answer: int = 504
    when: str = "after"
    before: Callable[[CaseRun], None] = lambda case: None

    def __call__(self, case: CaseRun) -> None:
        case.m3ter.switches(**self.switches)
        self.before(case)
        case.hire("e1", "E2", "e3", "e4", "e5", "e6")
        case.hire("tagged", email="Tagged+New@Example.com")
        for address in ("e2@example.com", "tagged+new@example.com"):
            case.m3ter.faults(
                kind="status", status=self.answer, when=self.when, operation=CREATE, email=address, count=1
            )
        case.run(case.begin())
        case.pass_time(float(self.switches.get("list_lag_seconds", 0)))
        case.day += 1
        case.hire("n1", "n2")
        case.run(case.begin())


@dataclass(frozen=True)
class _Lagging:
    """The list is behind, and the sender is killed somewhere."""

    lag: float

    def __call__(self, case: CaseRun) -> None:
        case.m3ter.switches(list_lag_seconds=self.lag, user_list_lag_seconds=self.lag)
        case.hire(*(f"e{n}" for n in range(1, 9)))
        run = case.begin()
        case.tries(run, "snapshot")
        case.tries(run, "plan")
        case.tries(run, "send", before_any=at_nth(case.rng.randrange(20, 200), die))
        case.tries(run, "report")


@dataclass(frozen=True)
class _Dying:
    """Tokens end before their time: the run ends by itself all the same, with everybody sent."""

    switches: Mapping[str, Any]

    def __call__(self, case: CaseRun) -> None:
        case.m3ter.switches(**self.switches)
        case.hire(*(f"e{n}" for n in range(1, 31)))
        case.m3ter.faults(kind="status", status=504, when="after", operation=CREATE, email="e2@example.com", count=1)
        run = case.begin()
        for task in TASKS:
            ended = case.task(run, task)
            if not ended.well and not (ended.error or "").startswith(AirflowSkipException.__name__):
                raise ViolationError(f"{task} did not go on with tokens that end early: {ended.error}")


def _mirrored_before(case: CaseRun) -> None:
    """Somebody joined just before the run: what the mirror held before an attempt explains no answer of it."""
    case.m3ter.seed(users=[{"email": "somebody.else@partner.example"}])
    case.hire(*(f"e{n}" for n in range(1, 7)))
    run = case.begin()
    case.tries(run, "snapshot")
    case.tries(run, "plan")
    case.m3ter.faults(kind="status", status=504, when="before", operation=CREATE, count=4)
    case.tries(run, "send")
    case.tries(run, "report")


@dataclass(frozen=True)
class _BehindTheLease:
    """The list is further behind than a lease lasts: that the lease has ended says nothing about the e-mail."""

    posts: int

    def __call__(self, case: CaseRun) -> None:
        case.m3ter.switches(list_lag_seconds=60, user_list_lag_seconds=60)
        case.hire(*(f"e{n}" for n in range(1, 5)))
        run = case.begin()
        case.task(run, "snapshot")
        case.task(run, "plan")
        if case.task(run, "send", {FaultPoint("POST invitations: sent", self.posts): die}).killed_by is None:
            raise NotReachedError
        for seconds in (30, 150, 150, 150):
            case.pass_time(seconds)
            later = case.begin()
            case.task(later, "snapshot")
            _, under_way = open_invitations(case.world.db, case.m3ter.org_id)
            if under_way:
                continue  # a plan would only wait for them, in real time
            case.task(later, "plan")
            if later.xcoms["plan"]["count"]:  # likewise
                case.task(later, "send")


@dataclass(frozen=True)
class _LongList:
    """Hundreds of others are listed before what a dead sender left, on earlier pages."""

    order: str

    def __call__(self, case: CaseRun) -> None:
        case.m3ter.switches(list_order=self.order)
        by_hand = {"dtCreated": "-20d", "invitingPrincipalId": "somebody", "createdBy": "somebody"}
        case.m3ter.seed(invitations=[{"email": f"old{n}@example.com", **by_hand} for n in range(450)])
        case.hire("first")
        case.run(case.begin())
        case.pass_time(24 * 3600)
        case.day += 1
        case.hire("e1", "e2", "e3")
        run = case.begin()
        case.task(run, "snapshot")
        case.task(run, "plan")
        if case.task(run, "send", {FaultPoint("COMMIT recording answers", 1): die}).killed_by is None:
            raise NotReachedError


@dataclass(frozen=True)
class _AcceptedAndExpired:
    """People accept, or their invitation expires, and m3ter's list keeps it or does not."""

    keep_accepted: bool
    keep_expired: bool

    def __call__(self, case: CaseRun) -> None:
        m3ter = case.m3ter
        m3ter.switches(keep_accepted=self.keep_accepted, keep_expired=self.keep_expired)
        case.hire("e1", "e2", "e3", "e4")
        for address in ("e1@example.com", "e2@example.com"):
            m3ter.faults(kind="status", status=504, when="after", operation=CREATE, email=address, count=1)
        run = case.begin()
        case.tries(run, "snapshot")
        case.tries(run, "plan")
        case.task(run, "send", before_any=at_nth(case.rng.randrange(120, 200), die))
        for email in sorted(m3ter.emails())[:3:2]:
            m3ter.accept(email)
        # One that has expired and is listed no more leaves no trace: then only one that is known to have been sent.
        known = [key for key, state in case.world.states().items() if state == "sent"]
        for email in sorted(m3ter.emails())[1:2] if self.keep_expired else known[:1]:
            m3ter.expire(email)
        case.tries(run, "send")
        case.tries(run, "report")
        case.world.values["look_back_days"] = 30  # everybody is planned again, and nobody invited


# -- outages ----------------------------------------------------------------------------------------------------


def _outages(database: str) -> Iterator[Case]:
    act: Callable[[CaseRun], None]
    for posts in (1, 4, 8):
        for minutes in (1, 90):
            act = _Outage(posts, minutes * 60.0)
            name = f"away for {minutes} min after {posts} POSTs"
            yield Case("m3ter, an outage", name, database, act, connection={**IMPATIENT, "requests_per_second": 20})
    for status in (500, 503, 403):
        for skip in (0, 3, 9, 14):
            act = _Outage503(status, skip)
            yield Case("m3ter, an outage", f"{status} to everything from request {skip} on", database, act)


@dataclass(frozen=True)
class _Outage:
    """m3ter is gone in mid-send: connections are refused."""

    posts: int
    seconds: float

    def __call__(self, case: CaseRun) -> None:
        m3ter = case.m3ter
        case.hire(*(f"e{n}" for n in range(1, 13)))
        m3ter.faults(kind="latency", operation=CREATE, seconds=0.1)
        run = case.begin()
        case.tries(run, "snapshot")
        case.tries(run, "plan")
        sending = case.fork(run, "send")
        wait_until(lambda: case.posts() >= self.posts, f"{self.posts} POSTs", 20, 0.01)
        m3ter.kill()
        ended = case.collect(run, "send", sending.wait())
        try:
            if ended.well:
                raise NotReachedError
        finally:
            m3ter.start()
        case.pass_time(self.seconds)
        case.tries(run, "send")
        case.tries(run, "report")


@dataclass(frozen=True)
class _Outage503:
    """m3ter answers nothing but an error, for one whole try."""

    status: int
    skip: int

    def __call__(self, case: CaseRun) -> None:
        case.hire("e1", "e2", "e3", "e4", "e5", "e6")
        case.m3ter.faults(kind="status", status=self.status, skip=self.skip)
        run = case.begin()
        for task in ("snapshot", "plan", "send"):
            if not case.task(run, task).well:
                break
        case.m3ter.clear_faults()
        case.pass_time(60)
        case.run(run)


# -- every switch, and clocks -----------------------------------------------------------------------------------


def _switches(database: str) -> Iterator[Case]:
    of_facts: list[tuple[str, Mapping[str, Any]]] = [
        *(
            ("a", {"pending_invitation": value})
            for value in ("second_email", "error_409", "error_400", "update", "update_with_email")
        ),
        *(("b", {"existing_member": value}) for value in ("email", "error_409", "error_400")),
        *(
            ("d", {"email_stored_as": value})
            for value in ("given", "lower", "lower_domain", "trimmed", "trimmed_lower")
        ),
        *(("e", {"retry_after": value, "requests_per_second": 30}) for value in ("none", "seconds", "date")),
        *(("f", {"count_token_requests": value, "requests_per_second": 30}) for value in (True, False)),
        *(("i", {"end_access_inclusive": value}) for value in (True, False)),
        *(("l", {"new_token_ends_old": value, "token_lifetime_seconds": 1}) for value in (True, False)),
        ("l", {"token_lifetime_seconds": 2, "token_error_status": 401}),
        *(("m", {"duplicate_policy_names": value}) for value in (True, False)),
        ("dates to the second", {"date_precision": "seconds"}),
        ("dates to the minute", {"date_precision": "minutes"}),
        ("fields as null", {"absent_fields": "null", "unknown_fields": True, "end_of_list": "null"}),
        ("end of list empty", {"end_of_list": "empty", "default_page_size": 3, "sparse_pages": True}),
        ("sliding second", {"window": "sliding", "requests_per_second": 30}),
    ]
    dying: list[Mapping[str, Any]] = [
        *({"token_good_for_requests": uses} for uses in (1, 3, 7, 40)),
        {"token_ends_after_seconds": 0.5},
    ]
    for switches in dying:
        for status in (401, 403):
            name = f"{', '.join(f'{k}={v}' for k, v in switches.items())}, {status}, 504 after"
            yield Case("m3ter, dying tokens", name, database, _Dying({**switches, "token_error_status": status}))
    for letter, switches in of_facts:
        for when in ("before", "after"):
            name = f"{letter}: {', '.join(f'{k}={v}' for k, v in switches.items())}, 504 {when}"
            yield Case("m3ter, each switch", name, database, _Switched(switches, when=when))
    allowed = {"allowed_permission_policies": ["Readers"]}
    for name, switches, final in (
        ("g: contact number required, then not", {"contact_number_required": True}, True),
        ("h: 403, then the right is given", {"grant_beyond_own_rights": "error_403"}, False),
        ("h: 400, then the right is given", {"grant_beyond_own_rights": "error_400"}, True),
        ("the right to invite is missing, then given", {"may_invite": False}, False),
        ("the right to read is missing, then given", {"may_read": False}, False),
    ):
        yield Case("m3ter, each switch", name, database, _RefusedAtFirst(switches, final), allowed)
    yield Case("m3ter, each switch", "d: addresses without their tag", database, _WithoutTag())


@dataclass(frozen=True)
class _RefusedAtFirst:
    """m3ter refuses everybody, until somebody changes it there.

    :param final: it says 400, which is final for that content: the rows are mended too.
    """

    switches: Mapping[str, Any]
    final: bool

    def __call__(self, case: CaseRun) -> None:
        m3ter = case.m3ter
        m3ter.seed(policies=[{"name": "Readers"}])
        ordinary = m3ter.switches()
        m3ter.switches(**self.switches)
        case.hire("e1", "e2", "e3", permission_policies="Readers")
        case.run(case.begin())
        if case.m3ter.emails():
            raise NotReachedError
        m3ter.switches(**{name: ordinary[name] for name in self.switches})
        if self.final:
            for employee in ("e1", "e2", "e3"):
                case.world.correct(employee, last_name="Mended")


class _WithoutTag:
    """m3ter keeps an address without its tag, and an answer is lost: nobody can tell, so a person must."""

    def __call__(self, case: CaseRun) -> None:
        m3ter = case.m3ter
        m3ter.switches(email_stored_as="without_tag")
        case.hire("e1", "e2")
        case.hire("tagged", email="tagged+new@example.com")
        m3ter.faults(kind="status", status=504, when="after", operation=CREATE, email="tagged+new@example.com", count=1)
        case.run(case.begin())


def _clocks(database: str) -> Iterator[Case]:
    for skew in (-90, 90):
        for when in ("before", "after"):
            for precision in ("milliseconds", "seconds"):
                switches = {"date_header_skew_seconds": skew, "date_precision": precision}
                name = f"Date header {skew:+d} s, {precision}, 504 {when}"
                yield Case("m3ter, its clock", name, database, _Switched(switches, when=when))
    for ahead in (90, 600):
        for when in ("before", "after"):
            act = _Switched({}, when=when, before=_Ahead(ahead))
            yield Case("m3ter, its clock", f"{ahead} s ahead, 504 {when}", database, act)


@dataclass(frozen=True)
class _Ahead:
    seconds: float

    def __call__(self, case: CaseRun) -> None:
        case.m3ter.advance(self.seconds)
