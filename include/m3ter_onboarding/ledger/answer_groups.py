"""The answers to the POSTs of one claim, on their way into the ledger: as quickly as they come, each with its event.

Nearly every answer is a success to a POST that this claim still owns. A whole group of them is written at once, by two
statements with one parameter for all rows. Whatever else happened meanwhile is for the compare-and-set of each row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Insert,
    Integer,
    Text,
    Update,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import TypeEngine

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.erased_people import PREFIX
from m3ter_onboarding.ledger.outcomes import Columns, Outcome, apply_outcomes, dated, supersede_other_addresses
from m3ter_onboarding.ledger.sql_types import db_now_ms
from m3ter_onboarding.ledger.statements import built_once
from m3ter_onboarding.ledger.states import SUCCESS_STATES, InvitationState
from m3ter_onboarding.ledger.tables import Tables, state_in

_SENDING, _SENT = InvitationState.SENDING, InvitationState.SENT
_WHY = "answered"
#: As for every success: what an answer does not name keeps its value.
_FROM_M3TER = ("m3ter_id", "inviting_principal_id", "expires_at", "answer")
_READ_AS: Mapping[str, TypeEngine[Any]] = {
    "invitation_id": BigInteger(),
    "http_status": Integer(),
    "m3ter_id": Text(),
    "inviting_principal_id": Text(),
    "expires_at": DateTime(timezone=True),
    "answer": JSON(),
}


class _ChangedMeanwhileError(Exception):
    """Raised to take a group back: a row is not as its POST left it, or a key collides."""


def record_answers(db: LedgerDatabase, token: str, outcomes: Sequence[Outcome], now: datetime) -> int:
    """Write how attempts of one claim ended, in one transaction.

    Successes are written whatever the row's state has become; anything else only while the claim is in force.

    :returns: how many rows changed.
    """
    answered, others = list[Outcome](), list[Outcome]()
    for outcome in outcomes:
        (answered if _is_plain(outcome) else others).append(outcome)

    def at_once(connection: Connection) -> int:
        _write_at_once(connection, db.tables, answered, now, token)
        return len(answered) + one_by_one(connection, others)

    def one_by_one(connection: Connection, outcomes: Sequence[Outcome]) -> int:
        if not outcomes:
            return 0
        now_ms = int(connection.execute(select(db_now_ms())).scalar_one())
        changes = [
            dated(outcome, now)
            if outcome.state in SUCCESS_STATES
            else replace(outcome, only_from=_SENDING, claim=token, columns=_ended(outcome.state, now_ms))
            for outcome in outcomes
        ]
        changed = apply_outcomes(connection, db.tables, changes, now, token=token)
        supersede_other_addresses(connection, db.tables, changed, now)
        return len(changed)

    if answered:
        try:
            return db.write(at_once, doing="recording answers")
        except _ChangedMeanwhileError:
            pass
    return db.write(lambda connection: one_by_one(connection, outcomes), doing="recording answers")


def _ended(state: InvitationState, now_ms: int) -> Columns:
    if state is InvitationState.UNKNOWN:
        return Columns(attempt_ended_ms=now_ms, first_absent_ms=None)
    if state is InvitationState.UNSENT:
        # Certainly nothing was posted: not an attempt that counts.
        return Columns(attempt_started_ms=None, attempt_ended_ms=None, first_absent_ms=None)
    return Columns()


def _is_plain(outcome: Outcome) -> bool:
    """Return whether it is the success of a POST, and nothing else."""
    unusual = (outcome.m3ter_user_id, outcome.message, outcome.only_from, outcome.claim, outcome.attempt)
    return outcome.state is _SENT and outcome.why == _WHY and unusual == (None,) * 5 and outcome.columns == Columns()


def _write_at_once(connection: Connection, t: Tables, answered: Sequence[Outcome], now: datetime, token: str) -> None:
    """Write successes to POSTs that this claim still owns, with their events.

    :raises _ChangedMeanwhileError: when a row is not as the POST left it: all of them are then written otherwise.
    """
    write, note = _statements(t, connection.dialect.name)
    given = {"of_answers": _as_text(connection.dialect, t, answered), "of_now": now}
    try:
        changed = connection.execute(write, {**given, "of_token": token}).rowcount
    except IntegrityError:
        changed = -1
    if changed != len(answered):
        raise _ChangedMeanwhileError
    connection.execute(note, given)
    supersede_other_addresses(connection, t, [outcome.invitation_id for outcome in answered], now)


@built_once
def _statements(t: Tables, dialect: str) -> tuple[Update, Insert]:
    """Return what writes a group of answers, and what writes their events."""
    i = t.invitation.c
    now = bindparam("of_now", type_=i.updated_at.type)
    answers = _as_table(dialect)
    write = (
        update(t.invitation)
        .where(
            i.invitation_id == answers["invitation_id"],
            # Neither is to be looked up: SQLite would read the whole claim for each answer.
            state_in(t.invitation, {_SENDING}),
            func.coalesce(i.claim_token, "") == bindparam("of_token", type_=i.claim_token.type),
            # A late answer must not bring back the data of somebody who was erased.
            ~i.email_key.startswith(PREFIX, autoescape=True),
        )
        .values(
            state=_SENT.value,
            message=None,
            sent_at=now,
            updated_at=now,
            http_status=answers["http_status"],
            **{name: func.coalesce(answers[name], i[name]) for name in _FROM_M3TER},
        )
    )
    event = {
        "invitation_id": i.invitation_id,
        "org_id": i.org_id,
        "from_state": literal(_SENDING.value),
        "to_state": i.state,
        "why": literal(_WHY),
        "plan_id": i.plan_id,
        "claim_token": i.claim_token,
        "attempt": i.attempt,
        "http_status": i.http_status,
        "m3ter_id": i.m3ter_id,
        "at": now,
    }
    written = (
        select(*event.values()).where(i.invitation_id.in_(select(answers["invitation_id"]))).order_by(i.invitation_id)
    )
    return write, insert(t.event).from_select(list(event), written)


def _as_text(dialect: Dialect, t: Tables, answered: Sequence[Outcome]) -> str:
    """Return these answers as the one parameter of both statements."""
    i = t.invitation.c
    as_stored = {name: _writer(i[name].type, dialect) for name in ("m3ter_id", "inviting_principal_id", "expires_at")}
    rows = [
        {
            "invitation_id": outcome.invitation_id,
            "http_status": outcome.http_status,
            "answer": outcome.answer,
            **{name: write(getattr(outcome, name)) for name, write in as_stored.items()},
        }
        for outcome in answered
    ]
    return json.dumps(rows, default=datetime.isoformat)


def _as_table(dialect: str) -> dict[str, ColumnElement[Any]]:
    """Return the columns of the table that the parameter is; both databases read JSON."""
    text = bindparam("of_answers", type_=Text())
    if dialect == "postgresql":
        columns = [column(name, kind) for name, kind in _READ_AS.items()]
        table = func.json_to_recordset(cast(text, JSON())).table_valued(*columns)
        return dict(table.render_derived(name="answers", with_types=True).c)
    one = func.json_each(text).table_valued("value", name="answers").c.value
    return {name: func.json_extract(one, literal_column(f"'$.{name}'")) for name in _READ_AS}


def _writer(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any]:
    """Return what makes of a value what the driver is given for it."""
    write: Callable[[Any], Any] | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return write or (lambda value: value)
