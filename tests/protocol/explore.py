"""Every reachable state, breadth first: the first broken promise with the shortest way to it, or none."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tests.protocol.model import (
    ACCEPTED,
    ADOPTED,
    CLAIMABLE,
    EXPIRED,
    FAILED,
    MOST_ABSENCES,
    OPEN,
    REVIEW,
    SENDING,
    SENT,
    SUCCESS,
    UNSENT,
    Entry,
    Machine,
    Sender,
    Settler,
    World,
)
from tests.protocol.rules import Scope

#: So many ordinary steps settle any state many times over.
_LONG_ENOUGH = 200


@dataclass
class Explored:
    """The result of an exploration.

    :param broken: the promise that was broken, or None.
    :param trace: the steps that lead there, the last of them breaks it.
    :param state_changes: every change of the row's state that was seen.
    """

    scope: Scope
    off: frozenset[str]
    states: int = 0
    transitions: int = 0
    depth: int = 0
    quiet: int = 0
    seconds: float = 0.0
    broken: str | None = None
    trace: list[str] = field(default_factory=list)
    state_changes: set[tuple[str, str]] = field(default_factory=set)


def explore(scope: Scope, off: frozenset[str] = frozenset(), *, symmetric: bool = True) -> Explored:
    """Visit every state that can be reached, and stop at the first that breaks a promise.

    :param symmetric: take two states for one that differ only in which sender (or settler) is which; names of
        processes in a trace then may change on the way.
    """
    machine = Machine(scope, off)
    explored = Explored(scope, off)
    began = time.perf_counter()
    start = machine.start()
    came_from: dict[World, tuple[World, str] | None] = {start: None}
    level = [start]
    endings: dict[World, str | None] = {}

    def trace_to(world: World, last: str) -> list[str]:
        names = [last]
        at = came_from[world]
        while at is not None:
            names.append(at[1])
            at = came_from[at[0]]
        return names[::-1]

    while level and explored.broken is None:
        following: list[World] = []
        for world in level:
            if all(s.at == "idle" for s in world.senders) and all(s.at == "idle" for s in world.settlers):
                explored.quiet += 1
                lost = end(machine, world, endings)
                if lost is not None:
                    explored.broken = lost
                    explored.trace = trace_to(
                        world, "from here on nothing goes wrong any more, and ordinary runs end so"
                    )
                    break
            for name, after, broken in machine.steps(world):
                explored.transitions += 1
                if broken is not None:
                    explored.broken, explored.trace = broken, trace_to(world, name)
                    break
                new = machine.canonical(after) if symmetric else after
                if new not in came_from:
                    came_from[new] = (world, name)
                    following.append(new)
            if explored.broken is not None:
                break
        explored.depth += bool(following)
        level = following
    explored.states = len(came_from)
    explored.seconds = time.perf_counter() - began
    explored.state_changes = machine.state_changes
    return explored


def end(machine: Machine, world: World, known: dict[World, str | None]) -> str | None:
    """Return what is wrong once ordinary runs have settled this state with no fault any more; None: nothing.

    What m3ter still has under way may go either way.

    :param world: a state in which no process is at work; any other becomes one by killing them.
    """
    plain = world._replace(replanned="", invites=False, row=world.row._replace(owner=0))
    if plain not in known:
        known[plain] = None
        known[plain] = _ended(machine, plain, known)
    return known[plain]


def _ended(machine: Machine, world: World, known: dict[World, str | None]) -> str | None:
    if world.requests:
        gone = world._replace(requests=world.requests[1:])
        lost = end(machine, gone, known)
        if lost is None and world.ours is None:
            for made in (Entry("invited", 1), Entry("invited", 1, rewritten=True)):
                if not made.rewritten or machine.scope.rewrite:
                    lost = lost or end(machine, gone._replace(ours=made), known)
        return lost
    for _ in range(_LONG_ENOUGH):
        after = _ordinary(machine, world)
        if after is None:
            return _judge(world)
        world = after
    return "ordinary runs never end"


def _ordinary(machine: Machine, w: World) -> World | None:
    """Return the world after an ordinary run has done the next thing; None: nothing is left to do."""
    row = w.row
    if row.state in OPEN:
        if machine.due(row):
            return _settle(machine, w)
        if row.state == SENDING and row.leased:
            return machine.lease_ended(w)
        return machine.tick(w)
    looked = machine.look(w)
    if looked != w:
        return looked
    later = machine.tick(w)
    if later is not None and later != w:
        return later
    if row.state in CLAIMABLE and not w.green and not w.given_up and not machine.is_active(w):
        # A new run plans, claims and sends, and is answered. Nobody's e-mail is hidden from it any more.
        if w.ours is not None:
            return w._replace(ours=None, row=row._replace(state="doubled"))
        return w._replace(ours=Entry("invited", 0), row=row._replace(state=SENT))
    return None


def _settle(machine: Machine, w: World) -> World:
    """Return the world after one settler has looked and settled undisturbed."""
    calm = w._replace(senders=(Sender(),), settlers=(Settler(),))
    settler_steps = 0
    while True:
        steps = [after for name, after, _ in machine.steps(calm) if name.startswith("settler") and "killed" not in name]
        if not steps or (settler_steps and calm.settlers[0].at == "idle"):
            return calm._replace(senders=w.senders, settlers=w.settlers)
        calm, settler_steps = steps[0], settler_steps + 1


def _judge(w: World) -> str | None:
    """Return what is wrong with a world in which nothing is left to do."""
    state, ours, by_hand = w.row.state, w.ours, w.by_hand
    if state == "doubled":
        return "a second e-mail: the ledger believes that none was sent"
    if state == REVIEW:
        unclear = ours is not None and (ours.rewritten or ours.place == "expired")
        unexplained = w.stranger == "mirrored" and not w.row.knew
        reason = unclear or unexplained or w.a_month or w.row.absences >= MOST_ABSENCES
        return None if reason else "a person must decide, without a reason"
    if ours is not None and state not in SUCCESS | {EXPIRED}:
        return f"m3ter holds our invitation, and the ledger says {state or 'nothing'!r}"
    if ours is None and state == SENT:
        return "the ledger says sent, and m3ter holds nothing"
    if state == ADOPTED and ours is None and by_hand is None:
        return "the ledger says adopted, and m3ter holds nothing"
    if state == ACCEPTED and not any(entry is not None and entry.place == "member" for entry in (ours, by_hand)):
        return "the ledger says accepted, and nobody joined"
    for_the_next_run = state == UNSENT and w.row.plan != 0
    if ours is None and by_hand is None and state in CLAIMABLE | OPEN and not for_the_next_run:
        return f"forgotten: no e-mail, and the ledger says {state or 'nothing'!r} for good"
    if state == FAILED and by_hand is not None and by_hand.place != "expired":
        return "failed, although m3ter holds an invitation"
    if state == UNSENT and by_hand is not None and by_hand.place != "expired":
        return "unsent, although m3ter holds an invitation"
    return None
