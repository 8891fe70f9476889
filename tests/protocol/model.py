"""The protocol for one person as a finite machine: what the ledger, the processes and m3ter hold, and every next step.

Time is counted in ticks. Within a tick every process may take any number of steps, or none: a frozen process is one
that takes none. A lease lasts as long as it likes, since no rule may depend on its length; it ends by a step of its
own, at the same moment for the database and for the sender (the real sender thinks that it ends earlier, by a margin).
Checking the lease and POSTing are one step: a process frozen between the two is outside of what is promised.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from m3ter_onboarding.ledger.claim_statements import ABSENCES_OF_A_PLAN
from m3ter_onboarding.ledger.states import LIVE_STATES, OPEN_STATES, InvitationState
from tests.protocol.rules import NAMES, Scope

SENDING, UNKNOWN, REVIEW = (InvitationState[n].value for n in ("SENDING", "UNKNOWN", "REVIEW"))
SENT, ADOPTED, ACCEPTED = (InvitationState[n].value for n in ("SENT", "ADOPTED", "ACCEPTED"))
UNSENT, FAILED, EXPIRED = (InvitationState[n].value for n in ("UNSENT", "FAILED", "EXPIRED"))
NOBODY = ""  #: the ledger has no row

LIVE = frozenset(state.value for state in LIVE_STATES)
OPEN = frozenset(state.value for state in OPEN_STATES)
SUCCESS = frozenset({SENT, ADOPTED, ACCEPTED})
#: From here a success is still news (``ledger.states``).
NOT_YET_SENT = frozenset({SENDING, UNKNOWN, REVIEW, UNSENT, FAILED})
CLAIMABLE = frozenset({NOBODY, UNSENT})

# Ticks. `settle_after` exceeds what m3ter may take after the sender gave up, and its lists after that.
POST_TIMEOUT, LATE, LAG, SETTLE_AFTER = 2, 1, 1, 3
#: One more than a plan may have: the fewest that show both bounds.
MOST_ABSENCES = ABSENCES_OF_A_PLAN + 1
MOST_REQUESTS = 2  #: under way at once; more only come about when the promise is broken already


class Row(NamedTuple):
    """The ledger's row of the person."""

    state: str = NOBODY
    owner: int = 0  #: the sender whose claim it is; 0: no process that runs
    leased: bool = False
    wait: int = 0  #: ticks until a look may settle it, once its lease is over
    begun: bool = False
    absent: bool = False  #: one look has found nothing
    absences: int = 0
    plan: int = 0  #: whose claim it is, or was, as long as that matters; 0: no plan's
    tried_by: int = 0  #: the plan that had made as many attempts as it may before this claim; 0: none
    old: bool = False  #: the attempt is older than an invitation's life
    knew: bool = False  #: the stranger's entry was mirrored before the attempt began


class Sender(NamedTuple):
    """One sending process: where it stands, the plan it sends, and what it believes of its lease."""

    at: str = "idle"
    plan: int = 0
    leased: bool = False
    warned: bool = False  #: m3ter's lists showed a hand-made invitation when it last looked, or ought to have


class Settler(NamedTuple):
    """One settling process, which looks for the attempt that it found open."""

    at: str = "idle"
    same: bool = False  #: the row is still of the attempt that it looks for
    twice: bool = False  #: this look began `settle_after` after the first that found nothing
    age: int = 0  #: ticks since the moment at which this look dates an absence
    of: str = NOBODY  #: the row's state as it was read after the look


class Request(NamedTuple):
    """One POST on its way through m3ter."""

    left: int  #: ticks within which m3ter still carries it out
    sender: int  #: who waits for its answer; 0: nobody
    current: bool  #: it is of the claim that the row is under


class Entry(NamedTuple):
    """One e-mail, as m3ter holds what came of it."""

    place: str  #: ``invited``, ``member`` or ``expired``
    lag: int  #: ticks until m3ter's list shows it
    rewritten: bool = False  #: stored under another spelling of the address


class World(NamedTuple):
    """Everything at one moment."""

    row: Row = Row()
    senders: tuple[Sender, ...] = ()
    settlers: tuple[Settler, ...] = ()
    requests: tuple[Request, ...] = ()
    ours: Entry | None = None
    by_hand: Entry | None = None
    #: What was last read of m3ter: our invitation, the hand-made one, the member through either.
    mirror: tuple[bool, bool, bool, bool] = (False, False, False, False)
    replanned: str = ""  #: a second plan: ``same run`` (the first is outdated) or ``other run``
    invites: bool = False  #: the second plan decided ``invite``; else it counted the person as on the way
    green: bool = False  #: a run that had the person in its plan has ended well: nobody plans for the person again
    a_month: bool = False
    stranger: str = ""  #: somebody else's entry: ``listed``, or ``mirrored``
    given_up: bool = False  #: a sender took a token that ended for a missing right, and nobody tries again


#: A step's name, what it leads to, and what it breaks.
Step = tuple[str, World, "str | None"]

_IDLE, _RESTING = Sender(), Settler()


class Machine:
    """The protocol, with some of its rules left out.

    :param off: names of rules and assumptions that do not hold.
    """

    def __init__(self, scope: Scope, off: frozenset[str] = frozenset()) -> None:
        if unknown := off - NAMES:
            raise ValueError(f"No such rules: {sorted(unknown)}.")
        self.scope = scope
        self._on = {name: name not in off for name in NAMES}
        #: Every change of the row's state that was made.
        self.state_changes: set[tuple[str, str]] = set()

    def start(self) -> World:
        """Return the world with a sealed plan that invites the person, and nothing done yet."""
        return World(senders=(_IDLE,) * self.scope.senders, settlers=(_RESTING,) * self.scope.settlers)

    def steps(self, w: World) -> Iterator[Step]:
        """Yield every step that may come next."""
        for n in range(len(w.senders)):
            yield from self._sender(w, n)
        for n in range(len(w.settlers)):
            yield from self._settler(w, n)
        yield from self._m3ter(w)
        yield from self._people(w)
        yield from self._time(w)

    # -- the ledger -------------------------------------------------------------------------------------------------

    def _to(self, row: Row, **changes: object) -> Row:
        new = row._replace(**changes)  # type: ignore[arg-type]
        if new.state != row.state:
            self.state_changes.add((row.state, new.state))
        if new.state in SUCCESS or new.state == EXPIRED:
            return Row(new.state)
        if new.state not in OPEN:
            plan = new.plan if new.state == UNSENT and new.absences == ABSENCES_OF_A_PLAN else 0
            return Row(
                new.state, begun=new.begun, absences=new.absences, plan=plan, knew=new.knew and new.state == REVIEW
            )
        return new

    def _may_be_sent(self, w: World, plan: int) -> bool:
        return plan == 2 or w.replanned != "same run"

    def reconciled(self, w: World) -> Row:
        """Return the row after it was held against what was last read of m3ter."""
        row = w.row
        ours_listed, hand_listed, our_member, hand_member = w.mirror
        explained = w.ours is not None and not w.ours.rewritten
        open_for_success = NOT_YET_SENT if self._on["success_wins"] else OPEN | {REVIEW}
        if (hand_listed or (ours_listed and explained)) and row.state in open_for_success | {NOBODY}:
            of_ours = ours_listed and explained and row.begun
            row = self._to(row, state=SENT if of_ours else ADOPTED)
        if (hand_member or (our_member and explained)) and row.state in open_for_success | {NOBODY, SENT, ADOPTED}:
            row = self._to(row, state=ACCEPTED)
        elif row.state == SENT and w.ours is not None and w.ours.place == "expired":
            row = self._to(row, state=EXPIRED)
        return row

    @staticmethod
    def _listed(entry: Entry | None, place: str) -> bool:
        return entry is not None and entry.place == place and entry.lag == 0

    def read_invitations(self, w: World) -> World:
        """Return the world with m3ter's invitations mirrored."""
        _, _, ours, by_hand = w.mirror
        listed = (self._listed(w.ours, "invited"), self._listed(w.by_hand, "invited"))
        return w._replace(mirror=(*listed, ours, by_hand), stranger="mirrored" if w.stranger else "")

    def read_users(self, w: World) -> World:
        """Return the world with m3ter's users mirrored."""
        ours, by_hand, *_ = w.mirror
        return w._replace(mirror=(ours, by_hand, self._listed(w.ours, "member"), self._listed(w.by_hand, "member")))

    def look(self, w: World) -> World:
        """Return the world after one undisturbed look in m3ter."""
        w = self.read_users(self.read_invitations(w))
        return w._replace(row=self.reconciled(w))

    def is_active(self, w: World) -> bool:
        """Return whether m3ter, as last read, has an invitation or a user of this address."""
        explained = w.ours is not None and not w.ours.rewritten
        return w.mirror[1] or w.mirror[3] or (explained and (w.mirror[0] or w.mirror[2]))

    # -- a sender ---------------------------------------------------------------------------------------------------

    def _sender(self, w: World, n: int) -> Iterator[Step]:
        sender, row, on = w.senders[n], w.row, self._on
        who, me, at = f"sender {'ABCD'[n]}", n + 1, sender.at

        def go(world: World, to: str, **changes: object) -> World:
            new = sender._replace(at=to, **changes)  # type: ignore[arg-type]
            return world._replace(senders=(*world.senders[:n], new, *world.senders[n + 1 :]))

        if at == "idle":
            if not w.green and not w.given_up:
                warned = self._listed(w.by_hand, "invited") or self._listed(w.by_hand, "member")
                looked = self.look(w) if on["look_before_send"] else w
                for plan in (1, 2) if w.replanned else (1,):
                    yield (
                        f"{who} starts with plan {plan} and looks in m3ter",
                        go(looked, "claim", plan=plan, warned=warned),
                        None,
                    )
            return

        yield f"{who} is killed", self.killed(w, n), None
        mine = row.owner == me and row.state == SENDING

        if at in ("claim", "insert"):
            yield from self._claim(w, n, go)
        elif at == "begin":
            outdated = not self._may_be_sent(w, sender.plan)
            may = mine and row.leased and not (outdated and on["newest_in_begin"])
            if mine and row.begun:
                yield f"{who} asks again: its attempt is recorded as begun", go(w, "post"), None
            elif may or not on["begin_compares"]:
                broken = "an attempt begins under a plan that its run has replaced" if outdated else None
                if row.absences == ABSENCES_OF_A_PLAN and row.tried_by == sender.plan:
                    broken = "a plan makes one attempt more than it may, although none left a trace"
                if row.absences >= MOST_ABSENCES:
                    broken = "another attempt begins after as many as may be were proven absent"
                if row.state in SUCCESS:
                    broken = "an attempt begins although the ledger knows that the person has an invitation"
                begun = w
                if on["write_ahead"] and mine:
                    wait = SETTLE_AFTER if on["first_wait"] else 0
                    begun = w._replace(row=row._replace(begun=True, wait=wait, knew=w.stranger == "mirrored"))
                yield f"{who} records that its attempt begins", go(begun, "post"), broken
                if self.scope.unheard and begun is not w:
                    yield f"{who} records that its attempt begins, and does not hear so", begun, None
            else:
                yield f"{who} may not begin", go(w, "answer unsent"), None
        elif at == "post":
            yield f"{who} does not POST (stopped, or its lease is too short)", go(w, "answer unsent"), None
            if (sender.leased or not on["lease_check"]) and len(w.requests) < MOST_REQUESTS:
                broken = (
                    "somebody is e-mailed whose hand-made invitation m3ter's list showed" if sender.warned else None
                )
                request = Request(POST_TIMEOUT + LATE, me, row.owner == me)
                yield f"{who} POSTs", go(w._replace(requests=_sorted(*w.requests, request)), "wait"), broken
        elif at == "wait":
            yield from self._answers(w, n, go)
        elif at == "refused":
            yield f"{who} looks whether what was refused exists", go(self.look(w), "answer failed"), None
            yield f"{who} cannot look whether what was refused exists", go(w, "answer unknown"), None
        elif at.startswith("answer"):
            answer = at.removeprefix("answer ")
            new, broken = self._answered(w, answer, row.owner == me)
            yield f"{who} commits its answer: {answer}", go(w._replace(row=new), "count", leased=False), broken
            if self.scope.unheard and new != row:
                yield f"{who} commits its answer: {answer}, and does not hear so", w._replace(row=new), broken
        elif at == "count":
            if self._nothing_left(w, sender.plan) or not on["count_left"]:
                yield f"{who} ends, and its run is green", go(w._replace(green=True), "idle", **_NOTHING), None
            else:
                yield f"{who} counts somebody left", go(w, "idle", **_NOTHING), None

    def _claim(self, w: World, n: int, go: Go) -> Iterator[Step]:
        sender, row, on = w.senders[n], w.row, self._on
        who, me = f"sender {'ABCD'[n]}", n + 1
        if row.owner == me and row.state == SENDING and sender.at == "claim":
            yield f"{who} asks again: the row is its own", go(w, "begin"), None
            return
        if sender.at == "claim" and on["claims_queue"] and any(other.at == "insert" for other in w.senders):
            return  # waits for the other's transaction
        invited = sender.plan == 1 or w.invites
        rests = row.state == UNSENT and row.plan == sender.plan and on["plan_limit"]
        free = (row.state in CLAIMABLE and not rests) or not on["claim_compares_state"]
        may = self._may_be_sent(w, sender.plan) or not on["newest_in_claim"]
        known = self.is_active(w) and on["mirror_in_claim"]
        if sender.at == "claim":
            if not (invited and free and may and not known):
                yield f"{who} finds nothing to claim", go(w, "count", leased=False), None
                return
            if not on["live_key"] and row.state == NOBODY:
                yield f"{who} finds the address free", go(w, "insert"), None
                return
        elif row.state in LIVE:
            yield f"{who} inserts a second row", w, "two live rows of one address"
            return
        claimed = w._replace(
            row=self._to(
                row,
                state=SENDING,
                owner=me,
                leased=True,
                wait=0,
                begun=False,
                absent=False,
                old=False,
                knew=False,
                plan=sender.plan,
                tried_by=row.plan,
            ),
            settlers=tuple(settler._replace(same=False) for settler in w.settlers),
            requests=_sorted(*(request._replace(current=False) for request in w.requests)),
        )
        yield f"{who} claims the row", go(claimed, "begin", leased=True), None
        if self.scope.unheard:
            yield f"{who} claims the row, and does not hear so", go(claimed, "claim", leased=True), None

    def _answers(self, w: World, n: int, go: Go) -> Iterator[Step]:
        who, me = f"sender {'ABCD'[n]}", n + 1
        mine = [request for request in w.requests if request.sender == me]
        rest = tuple(request for request in w.requests if request.sender != me)
        answered = w._replace(requests=rest)
        if mine:
            for made, words, broken in self._made(answered):
                yield f"m3ter answers {who} 200 ({words})", go(made, "answer sent"), broken
                yield f"m3ter invites for {who} ({words}); the answer is lost", made, broken
            yield f"the POST of {who} comes to nothing", answered, None
            if self.scope.refuse:
                yield f"m3ter answers {who} 400", go(answered, "refused"), None
                yield f"m3ter answers {who} 429, who tries again", go(answered, "post"), None
                yield f"m3ter answers {who} 429", go(answered, "answer unsent"), None
            if self.scope.tokens and self._on["token_is_no_right"]:
                yield (
                    f"m3ter turns {who} away, whose token has ended; it tries again with another",
                    go(answered, "post"),
                    None,
                )
            elif self.scope.tokens:
                gone = answered._replace(given_up=True)
                yield (
                    f"m3ter turns {who} away, whose token has ended; it says that it lacks a right",
                    go(gone, "answer unsent"),
                    None,
                )
        left = [request._replace(sender=0, left=min(request.left, LATE)) for request in mine]
        given_up = w._replace(requests=_sorted(*rest, *left))
        to = "answer unknown" if self._on["never_resend"] else "post"
        yield f"{who} gets no answer", go(given_up, to), None

    def _answered(self, w: World, answer: str, own: bool) -> tuple[Row, str | None]:
        row = w.row
        own = own or not self._on["answer_names_claim"]
        if answer == SENT:
            wins = row.state in NOT_YET_SENT if self._on["success_wins"] else row.state == SENDING and own
            row = self._to(row, state=SENT) if wins else row
            lost = row.state not in SUCCESS and row.state != EXPIRED
            return row, "m3ter's 200 is committed, and the ledger says otherwise" if lost else None
        if row.state != SENDING or not own:
            return row, None
        if answer == UNKNOWN:
            wait = SETTLE_AFTER if self._on["first_wait"] else 0
            return self._to(row, state=UNKNOWN, leased=False, wait=wait, absent=False), None
        return self._to(row, state=answer, begun=row.begun and answer == FAILED), None

    def _nothing_left(self, w: World, plan: int) -> bool:
        rests = w.row.state == UNSENT and w.row.plan == plan and self._on["plan_limit"]
        open_or_unsent = w.row.state in OPEN or (w.row.state == UNSENT and not rests)
        invited = plan == 1 or w.invites
        return not open_or_unsent and not (invited and w.row.state == NOBODY)

    def killed(self, w: World, n: int) -> World:
        """Return the world without what one sender was about to do; its POST goes on in m3ter."""
        row = w.row._replace(owner=0) if w.row.owner == n + 1 else w.row
        requests = (r._replace(sender=0) if r.sender == n + 1 else r for r in w.requests)
        return w._replace(row=row, senders=(*w.senders[:n], _IDLE, *w.senders[n + 1 :]), requests=_sorted(*requests))

    # -- a settler --------------------------------------------------------------------------------------------------

    def due(self, row: Row) -> bool:
        """Return whether a look may settle the row now."""
        if row.state not in OPEN:
            return False
        if row.state == SENDING and row.leased and self._on["lease_over_first"]:
            return False
        return row.wait == 0 or not row.begun

    def _settler(self, w: World, n: int) -> Iterator[Step]:
        settler, on = w.settlers[n], self._on
        who, at = f"settler {'PQRS'[n]}", settler.at

        def go(world: World, new: Settler) -> World:
            return world._replace(settlers=(*world.settlers[:n], new, *world.settlers[n + 1 :]))

        if at == "idle":
            if self.due(w.row):
                # It began `settle_after` later than the moment to which a first absence is, or will be, dated.
                twice = w.row.absent or any(s.same and s.age >= SETTLE_AFTER for s in w.settlers)
                yield f"{who} begins a look", go(w, Settler("first list", True, twice)), None
            return
        killed = go(w, _RESTING)
        if settler.age and not w.row.absent:
            killed = killed._replace(settlers=tuple(s._replace(twice=False) for s in killed.settlers))
        yield f"{who} is killed, or its look fails", killed, None
        if at in ("first list", "second list"):
            users = (at == "second list") is on["users_last"]
            then = settler._replace(at="second list" if at == "first list" else "reconcile")
            if not users:
                yield f"{who} reads invitations", go(self.read_invitations(w), then), None
            elif on["users_read"]:
                yield f"{who} reads users", go(self.read_users(w), then), None
            else:
                yield f"{who} reads no users", go(w, then), None
        elif at == "reconcile":
            new = w._replace(row=self.reconciled(w))
            says = self._says(new, settler)
            age = 0 if on["dated_at_end"] else settler.age
            then = settler._replace(at=says, of=new.row.state, age=age) if says else _RESTING
            yield f"{who} compares: {says or 'nothing to settle'}", go(new, then), None
        else:
            yield f"{who} settles: {at}", go(*self._settled(w, settler)), None

    def _says(self, w: World, settler: Settler) -> str:
        row, on = w.row, self._on
        if row.state not in OPEN or (on["settle_names_claim"] and not settler.same):
            return ""
        if not row.begun:
            return "not begun"
        if row.old and on["older_than_life"]:
            return "review"
        if w.ours is not None and w.ours.rewritten and (w.mirror[0] or w.mirror[2]) and on["unexplained_entry"]:
            return "review"
        if w.stranger == "mirrored" and on["unexplained_entry"] and not (row.knew and on["seen_before"]):
            return "review"
        if on["second_look"]:
            if not row.absent:
                return "absent once"
            if not settler.twice and on["second_wait"]:
                return ""
        return "absent again" if row.absences + 1 >= MOST_ABSENCES and on["absence_limit"] else "absent twice"

    def _settled(self, w: World, settler: Settler) -> tuple[World, Settler]:
        row = w.row
        if self._on["settle_names_claim"]:
            if not settler.same or row.state != settler.of:
                return w, _RESTING
        elif row.state not in OPEN:
            return w, _RESTING
        at = settler.at
        if at == "not begun":
            row = self._to(row, state=UNSENT, begun=False)
        elif at == "review":
            row = self._to(row, state=REVIEW)
        elif at == "absent once":
            wait = max(0, SETTLE_AFTER - settler.age) if self._on["second_wait"] else 0
            if row.absent:
                wait = min(wait, row.wait)
            row = self._to(row, state=UNKNOWN, leased=False, absent=True, wait=wait)
        else:
            absences = min(row.absences + 1, MOST_ABSENCES)
            row = self._to(row, state=REVIEW if at == "absent again" else UNSENT, absences=absences)
        return w._replace(row=row), _RESTING

    # -- m3ter, people, time ----------------------------------------------------------------------------------------

    def _made(self, w: World) -> Iterator[tuple[World, str, str | None]]:
        broken = None if w.ours is None else "a second e-mail"
        for lag in (LAG, 0):
            words = "listed at once" if lag == 0 else "listed late"
            yield w._replace(ours=Entry("invited", lag)), words, broken
            if self.scope.rewrite:
                yield w._replace(ours=Entry("invited", lag, rewritten=True)), f"{words}, address rewritten", broken

    def _m3ter(self, w: World) -> Iterator[Step]:
        for n, request in enumerate(w.requests):
            if request.sender == 0 and request not in w.requests[:n]:
                rest = w._replace(requests=(*w.requests[:n], *w.requests[n + 1 :]))
                for made, words, broken in self._made(rest):
                    yield f"m3ter invites, though nobody waits for its answer any more ({words})", made, broken
                yield "a POST that nobody waits for comes to nothing", rest, None

    def _people(self, w: World) -> Iterator[Step]:
        if self.scope.console and w.by_hand is None:
            for lag in (LAG, 0):
                yield "somebody invites the person by hand", w._replace(by_hand=Entry("invited", lag)), None
        if self.scope.stranger and not w.stranger:
            yield "somebody else is invited", w._replace(stranger="listed"), None
        if self.scope.accept:
            for lag in (LAG, 0):
                if w.ours is not None and w.ours.place == "invited":
                    yield "the person accepts", w._replace(ours=w.ours._replace(place="member", lag=lag)), None
                if w.by_hand is not None and w.by_hand.place == "invited":
                    joined = w.by_hand._replace(place="member", lag=lag)
                    yield "the person accepts the hand-made invitation", w._replace(by_hand=joined), None
        if self.scope.replan and not w.replanned and not w.green and w.row.state in CLAIMABLE | OPEN:
            invites = w.row.state in CLAIMABLE and not self.is_active(w)
            for kind in ("same run", "other run"):
                yield f"plan 2 is made ({kind})", w._replace(replanned=kind, invites=invites), None

    def _time(self, w: World) -> Iterator[Step]:
        row = w.row
        under_way = any(r.current and r.left > LATE for r in w.requests)
        if row.state == SENDING and row.leased and not (under_way and self._on["whole_timeout"]):
            yield "the lease ends", self.lease_ended(w), None
        for n, sender in enumerate(w.senders):
            if sender.leased and (row.owner != n + 1 or row.state != SENDING):
                senders = (*w.senders[:n], sender._replace(leased=False), *w.senders[n + 1 :])
                yield f"the lease of sender {'ABCD'[n]}'s former claim ends", w._replace(senders=senders), None
        passed = self.tick(w)
        if passed is not None and passed != w:
            yield "time passes", passed, None
        if not self._on["lag_bound"]:
            for which in ("ours", "by_hand"):
                entry = getattr(w, which)
                if entry is not None and entry.lag:
                    yield "m3ter's list shows it at last", w._replace(**{which: entry._replace(lag=0)}), None
        if self.scope.month and not w.a_month and not w.requests:
            yield "a month passes", self._a_month_later(w), None

    def lease_ended(self, w: World) -> World:
        """Return the world after the lease of the row's claim has ended."""
        senders = tuple(
            sender._replace(leased=False) if w.row.owner == n + 1 else sender for n, sender in enumerate(w.senders)
        )
        return w._replace(row=w.row._replace(leased=False), senders=senders)

    def tick(self, w: World) -> World | None:
        """Return the world a tick later; None: m3ter must first carry out or drop a POST."""
        requests = w.requests
        if requests and self._on["late_bound"]:
            if any(request.left == 0 for request in requests):
                return None
            requests = _sorted(*(request._replace(left=request.left - 1) for request in requests))
        row = w.row
        if (
            row.wait
            and row.state in OPEN
            and not (row.state == SENDING and row.leased and self._on["lease_over_first"])
        ):
            row = row._replace(wait=row.wait - 1)
        ours, by_hand = w.ours, w.by_hand
        if self._on["lag_bound"]:
            ours = ours._replace(lag=0) if ours is not None and ours.lag else ours
            by_hand = by_hand._replace(lag=0) if by_hand is not None and by_hand.lag else by_hand
        settlers = tuple(s._replace(age=s.age + 1) if self._ages(s) else s for s in w.settlers)
        return w._replace(row=row, requests=requests, ours=ours, by_hand=by_hand, settlers=settlers)

    def _ages(self, settler: Settler) -> bool:
        if settler.age == SETTLE_AFTER or settler.at == "idle":
            return False
        # Until its absence is dated, the age of a look is of no consequence; nor is that of any other finding.
        return settler.at == "absent once" or not self._on["dated_at_end"]

    def _a_month_later(self, w: World) -> World:
        w = self.lease_ended(w) if w.row.leased else w

        def later(entry: Entry | None) -> Entry | None:
            if entry is None:
                return None
            return entry._replace(lag=0, place="expired" if entry.place == "invited" else entry.place)

        row = w.row._replace(wait=0, old=w.row.begun) if w.row.state in OPEN else w.row
        settlers = tuple(s._replace(age=SETTLE_AFTER) if self._ages(s) else s for s in w.settlers)
        senders = tuple(sender._replace(leased=False) for sender in w.senders)
        return w._replace(
            row=row,
            ours=later(w.ours),
            by_hand=later(w.by_hand),
            settlers=settlers,
            senders=senders,
            a_month=True,
        )

    # -- what changes nothing but names -------------------------------------------------------------------------------

    def canonical(self, w: World) -> World:
        """Return the one world that stands for all that differ in which of two equal processes is which."""
        settlers = w.settlers
        if len(settlers) == 2 and settlers[0] > settlers[1]:
            settlers = (settlers[1], settlers[0])
        senders, row, requests = w.senders, w.row, w.requests
        if len(senders) == 2:
            keys = [
                (sender, row.owner == n + 1, tuple(r for r in requests if r.sender == n + 1)[:1] != ())
                for n, sender in enumerate(senders)
            ]
            if keys[0] > keys[1]:
                swap = (0, 2, 1)
                senders = (senders[1], senders[0])
                row = row._replace(owner=swap[row.owner])
                requests = _sorted(*(r._replace(sender=swap[r.sender]) for r in requests))
        if settlers is w.settlers and senders is w.senders:
            return w
        return w._replace(settlers=settlers, senders=senders, row=row, requests=requests)


_NOTHING: dict[str, object] = {"plan": 0, "leased": False, "warned": False}


class Go(Protocol):
    """How a process goes to its next step (a type only)."""

    def __call__(self, world: World, to: str, **changes: object) -> World: ...


def _sorted(*requests: Request) -> tuple[Request, ...]:
    return tuple(sorted(requests))
