"""Counts of the invitations of runs; each count stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, literal_column, select

from m3ter_onboarding.ledger.reads.bounded_counts import COUNTED, count_up_to, rows_of_run
from m3ter_onboarding.ledger.reads.listed_values import listed_runs
from m3ter_onboarding.ledger.reads.reader_sets import count_of
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.states import ONCE_SENT_STATES, InvitationState, state_values
from m3ter_onboarding.ledger.tables import Tables


@dataclass(frozen=True)
class SentOfRun:
    """Invitations that a run sent; each count stops.

    :param more: whether counting stopped.
    """

    sent: int
    accepted: int
    more: bool


def sent_by_run(connection: Connection, t: Tables, keys: Sequence[RunKey]) -> dict[RunKey, SentOfRun]:
    """Count the invitations that each run sent, whatever became of them later, by one statement; counting stops."""
    if not keys:
        return {}
    followed, i, counted = listed_runs(connection, keys), t.invitation.c, {}
    wanted = followed.c
    for state in state_values(ONCE_SENT_STATES):
        mine = and_(i.dag_id == wanted.dag_id, i.run_id == wanted.run_id, i.state == state)
        counted[state] = count_of(
            select(literal_column("1").label("one")).where(mine).limit(COUNTED + 1).correlate(followed)
        )
    columns = [many.label(state) for state, many in counted.items()]
    found = {}
    for row in connection.execute(select(wanted.dag_id, wanted.run_id, *columns)):
        many = {state: row._mapping[state] for state in counted}
        more = any(one > COUNTED for one in many.values())
        accepted = many[InvitationState.ACCEPTED.value]
        sent = max(sum(many.values()), COUNTED + 1) if more else sum(many.values())
        found[RunKey(row.dag_id, row.run_id)] = SentOfRun(sent, accepted, more)
    return found


def states_by_run(
    connection: Connection,
    t: Tables,
    runs: Sequence[RunKey],
    states: Sequence[InvitationState],
    most: int = COUNTED,
) -> Mapping[RunKey, Mapping[InvitationState, int]]:
    """Count the invitations that each run set out to send, by the state that they are in now; counting stops."""
    chosen: dict[str, list[Select[Any]]] = {
        f"{number}:{state.value}": [rows_of_run(t, run.dag_id, run.run_id, state.value)]
        for number, run in enumerate(runs)
        for state in states
    }
    counted = count_up_to(connection, chosen, most) if chosen else {}
    return {run: {state: counted[f"{number}:{state.value}"] for state in states} for number, run in enumerate(runs)}


def states_of_plan(connection: Connection, t: Tables, run: RunKey, plan_id: str, most: int) -> dict[str, int]:
    """Count the invitations that one plan of a run set out to send, by the state that they are in now."""
    mine = t.invitation.c.plan_id == plan_id
    chosen = {one.value: [rows_of_run(t, run.dag_id, run.run_id, one.value).where(mine)] for one in InvitationState}
    return {state: many for state, many in count_up_to(connection, chosen, most).items() if many}
