"""What m3ter holds of an invitation, compared with what was asked: a difference is a question of the worklist.

m3ter may keep other permission policies, another end of access, address or name than the POST had, at once or later.
Such an entry rests on m3ter's lists and not on a row of the query. So no plan asks, answers or ages it, and no window
reaches back for it. It is answered when a later read shows no difference, when its invitation is over, or by a person.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, or_, select, update

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import name_in
from m3ter_onboarding.ledger.statements import built_once
from m3ter_onboarding.ledger.states import ENDED_STATES, InvitationState
from m3ter_onboarding.ledger.tables import Tables
from m3ter_onboarding.ledger.worklist import DIFFERS, STAYS_CLOSED, ClosedWhy
from m3ter_provider.email_identity import email_key
from m3ter_provider.errors import M3terResponseError
from m3ter_provider.models import Invitation, InvitationRequest, parse

#: So many invitations are compared at once.
_TOGETHER = 500
_SENT, _ACCEPTED = InvitationState.SENT.value, InvitationState.ACCEPTED.value


@dataclass(frozen=True)
class _Compared:
    """One invitation.

    :param differs: the fields in which m3ter differs, in words; None: what m3ter holds is not known.
    """

    row: Row[Any]
    differs: tuple[str, ...] | None

    @property
    def detail(self) -> str:
        """The sentence of the entry: fields, never values."""
        return f"m3ter has other values than were asked for: {', '.join(self.differs or ())}."


def differing_fields(request: Mapping[str, Any], held: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return in which fields m3ter differs from what was asked, in words.

    An end of access that m3ter leaves out is none; other fields that it leaves out are not compared.

    :param request: the body of the POST.
    :param held: m3ter's answer to it, or its entry in the list.
    :returns: None where one of them cannot be read.
    """
    try:
        asked = InvitationRequest.model_validate(request)
        has = parse(Invitation, held, "an invitation")
    except (ValueError, M3terResponseError):
        return None
    policies = asked.permission_policy_ids
    differs = {
        "email": email_key(asked.email) != email_key(has.email),
        "first name": has.first_name is not None and _plain(asked.first_name) != _plain(has.first_name),
        "last name": has.last_name is not None and _plain(asked.last_name) != _plain(has.last_name),
        "permission policies": (
            policies is not None
            and held.get("permissionPolicyIds") is not None
            and set(policies) != set(has.permission_policy_ids)
        ),
        "end of access": not _same_minute(asked.dt_end_access, has.dt_end_access),
    }
    return tuple(name for name, different in differs.items() if different)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


def _same_minute(one: datetime | None, other: datetime | None) -> bool:
    # m3ter may keep dates to the minute.
    if one is None or other is None:
        return one is other
    return abs((one - other).total_seconds()) < 60


def note_differences(db: LedgerDatabase, org_id: str, now: datetime) -> int:
    """Open, keep and close the entries of an organisation, by what m3ter was last seen to hold.

    :param now: UTC.
    :returns: how many are open.
    """
    w = db.tables.worklist
    known = db.read(
        lambda c: c.execute(select(w).where(w.c.org_id == org_id, w.c.reason == DIFFERS)).all(),
        doing="reading the worklist",
    )
    entries = {row.person_key: row for row in known}
    asked_about = [row.invitation_id for row in known if row.closed_at is None and row.invitation_id is not None]
    changes: list[tuple[int, dict[str, Any]]] = []
    fresh: list[dict[str, Any]] = []
    still_open = 0
    for one in _all_compared(db, org_id, asked_about):
        key = f"employee:{one.row.employee_id}" if one.row.employee_id else f"address:{one.row.email_key}"
        entry = entries.get(key)
        if one.differs and entry is None:
            still_open += 1
            fresh.append({"org_id": org_id, "person_key": key, **_opened(one, now), "first_seen_at": now})
        elif one.differs and entry is not None and (change := _asked_again(entry, one, now)):
            still_open += 1
            changes.append((entry.item_id, change))
        elif entry is not None and _is_answered(entry, one):
            changes.append((entry.item_id, {"closed_at": now, "closed_why": ClosedWhy.ANSWERED.value}))

    def work(connection: Connection) -> None:
        for item_id, values in changes:
            statement = update(w).where(w.c.item_id == item_id)
            if "closed_why" not in values or values["closed_why"] is not None:
                statement = statement.where(w.c.closed_at.is_(None))  # a person may have closed it since
            connection.execute(statement.values(**values))
        if fresh:
            connection.execute(db.insert_new(w), fresh)

    if changes or fresh:
        db.write(work, doing="noting what differs in m3ter")
    return still_open


def _all_compared(db: LedgerDatabase, org_id: str, asked_about: Sequence[int]) -> Iterator[_Compared]:
    after = 0
    while compared := db.read(
        partial(_compare, t=db.tables, org_id=org_id, asked_about=asked_about, after=after),
        doing="comparing what m3ter holds with what was asked",
    ):
        yield from compared
        after = compared[-1].row.invitation_id


def _compare(
    connection: Connection, *, t: Tables, org_id: str, asked_about: Sequence[int], after: int
) -> list[_Compared]:
    """Return the next invitations: those that were sent, and those that an open entry is about."""
    given = {"org_id": org_id, "asked_about": list(asked_about), "after": after}
    rows: Sequence[Any] = connection.execute(_held_beside_asked(t), given).all()
    return [_Compared(row, _differs(row)) for row in rows]


@built_once
def _held_beside_asked(t: Tables) -> Select[Any]:
    """Return what reads invitations behind the row ``after``, with what was asked and what m3ter holds."""
    i, d, p, m, r = t.invitation.c, t.decision.c, t.plan.c, t.mirror_invitation.c, t.run.c
    return (
        select(
            *(i.invitation_id, i.employee_id, i.email, i.email_key, i.state, i.answer),
            *(d.plan_id, d.row_no, d.request, d.start_date),
            *(p.dag_id, p.window_start, p.window_end, m.entry, r.config_name),
        )
        .select_from(t.invitation)
        .join(t.decision, and_(d.plan_id == i.plan_id, d.row_no == i.row_no))
        .join(t.plan, p.plan_id == i.plan_id)
        .outerjoin(t.run, and_(r.dag_id == p.dag_id, r.run_id == p.run_id))
        .outerjoin(t.mirror_invitation, and_(m.org_id == i.org_id, m.m3ter_id == i.m3ter_id, ~m.gone))
        .where(
            i.org_id == bindparam("org_id"),
            i.origin == "claimed",
            i.invitation_id > bindparam("after"),
            or_(i.state == _SENT, i.invitation_id.in_(bindparam("asked_about", expanding=True))),
        )
        .order_by(i.invitation_id)
        .limit(_TOGETHER)
    )


def _differs(row: Row[Any]) -> tuple[str, ...] | None:
    held = row.entry or row.answer
    if row.state not in (_SENT, _ACCEPTED) or not held or not row.request:
        return None
    return differing_fields(row.request, held)


def _is_answered(entry: Row[Any], one: _Compared) -> bool:
    """Return whether an entry asks nothing more: no difference is left, or the invitation is over."""
    if entry.closed_at is not None or entry.invitation_id != one.row.invitation_id:
        return False
    return one.differs == () or InvitationState(one.row.state) in ENDED_STATES


def _asked_again(entry: Row[Any], one: _Compared, now: datetime) -> dict[str, Any]:
    """Return what changes in an entry whose question came up again; empty: a person has answered this very one."""
    same = (entry.detail, entry.invitation_id) == (one.detail, one.row.invitation_id)
    if entry.closed_at is None:
        return {"last_seen_at": now} if same else {**_opened(one, now), "opened_at": entry.opened_at}
    if entry.closed_why in STAYS_CLOSED and same:
        return {}
    reset = dict.fromkeys(("gone_at", "closed_at", "closed_why", "closed_by", "closed_plan_id", "snoozed_until"))
    return {**_opened(one, now), **reset}


def _opened(one: _Compared, now: datetime) -> dict[str, Any]:
    row = one.row
    return {
        "employee_id": row.employee_id,
        "email": row.email,
        "email_key": row.email_key,
        "decision": "review",
        "reason": DIFFERS,
        "detail": one.detail,
        "start_date": row.start_date,
        "person_name": name_in(row.request),
        "invitation_id": row.invitation_id,
        "opened_plan_id": row.plan_id,
        "plan_id": row.plan_id,
        "row_no": row.row_no,
        "dag_id": row.dag_id,
        "config_name": row.config_name or "",
        "window_start": row.window_start,
        "window_end": row.window_end,
        "opened_at": now,
        "last_seen_at": now,
    }
