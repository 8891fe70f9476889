"""The approval of a plan by a person: what is asked, and what an answer comes to (docs/delivery.md, rule 8).

The question names no person. The answer counts by what the ledger records, never by the state of Airflow's task.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from m3ter_onboarding.clock import in_utc, parse_iso, utc_now
from m3ter_onboarding.ledger import plans
from m3ter_onboarding.ledger.plan_counts import domains_of_plan
from m3ter_onboarding.planning import reasons
from m3ter_onboarding.sending.right_to_send import NotAllowedError

if TYPE_CHECKING:
    from m3ter_onboarding.ledger.database import LedgerDatabase
    from m3ter_onboarding.ledger.plans import PlanRow
    from m3ter_onboarding.ledger.runs import RunKey


log = logging.getLogger(__name__)

#: So many domains are named; how many further ones there are is said.
_DOMAINS_NAMED = 20


@dataclass(frozen=True)
class Question:
    """What a person is asked.

    :param subject: one line.
    :param body: Markdown.
    """

    subject: str
    body: str


def ask(db: LedgerDatabase, plan: PlanRow, *, config_name: str, approval_above: int | None, link: str) -> Question:
    """Write the question whether a plan may be sent.

    :param link: to the run's page, which shows the people to those who may see them.
    """
    guarded = [policy for policy in plan.policies if policy.administrator_like]
    why = []
    if approval_above is not None and plan.invitations > approval_above:
        why.append(f"it has more than {approval_above} invitations (`approval_above`)")
    if guarded:
        why.append("it makes people administrators of the organisation")
    until = utc_now() + timedelta(seconds=plan.seconds_left)
    decisions = [
        f"| {_code(name)} | {reasons.decision(*name.partition(':')[::2])} | {count} |"
        for name, count in plan.counts.items()
    ]
    policies = [
        f"| {_code(str(policy.name))} | {'**yes**' if policy in guarded else 'no'} |" for policy in plan.policies
    ]
    asked = (
        f"**{plan.invitations} e-mails** to real people would be sent into the m3ter organisation"
        f" {_code(plan.org_id)} (configuration {_code(config_name)}); they cannot be recalled."
        f" You are asked because {' and '.join(why) or 'the plan needs it'}."
        f"\n\n[See who, and why]({link}) before you answer."
    )
    end = (
        f"The connection may send invitations to this organisation. Rows read for {plan.window_start:%Y-%m-%d %H:%M} to"
        f" {plan.window_end:%Y-%m-%d %H:%M} UTC: {plan.rows_read}. Fingerprint {_code(plan.fingerprint or '')}."
        f"\n\n**Approve**: exactly this plan is sent. **Reject**, or no answer until {until:%Y-%m-%d %H:%M} UTC:"
        " nothing of it is sent. The people are not lost, the next run plans them again."
    )
    tables = (
        _table("decision | what it means | rows", "--- | --- | ---:", decisions),
        _table(
            "permission policy | makes administrators",
            "--- | ---",
            policies or ["| none: an invitation gives no rights | no |"],
        ),
        _table("domain of the addresses | invitations", "--- | ---:", _domains(db, plan.plan_id)),
    )
    return Question(f"Send {plan.invitations} m3ter invitations for {config_name}?", "\n\n".join((asked, *tables, end)))


def approved(db: LedgerDatabase, run: RunKey, user: Mapping[str, Any] | None, at: Any) -> None:
    """Record that somebody chose to approve the plan that the question was about.

    :param user: as Airflow names who answered.
    :raises NotAllowedError: when the approval does not count.
    """
    who = name_of(user)
    again = "Nothing is sent, nobody is lost: the next run plans these people again; trigger one if it is urgent."
    if who is None:
        raise NotAllowedError(f"The plan was approved, but by no user of Airflow, so that does not count. {again}")
    shown = plans.plan_in_question(db, run)
    if shown is None:
        raise NotAllowedError(
            f"The ledger does not know which plan {who} was shown, so the approval counts not. {again}"
        )
    plan_id, fingerprint = shown
    if not plans.record_approval(db, run, plan_id, fingerprint, by=who, at=instant(at)):
        raise NotAllowedError(
            f"{who} approved plan {plan_id} with the fingerprint {fingerprint[:12]}, and that is not the newest plan of"
            f" this run any more, or it was rejected, or is older than `plan_valid_for`. {again}"
        )
    log.info("%s approved plan %s; it is sent now.", who, plan_id)


def rejected(db: LedgerDatabase, run: RunKey, user: Mapping[str, Any] | None, at: Any) -> None:
    """Record that somebody chose to reject."""
    who = name_of(user) or "nobody known"
    if shown := plans.plan_in_question(db, run):
        plans.record_rejection(db, run, shown[0], by=who, at=instant(at))
    log.warning(
        "%s rejected the plan: nothing of it is sent. Nobody is lost, the next run plans these people again; trigger"
        " one to plan them today.",
        who,
    )


def not_answered(db: LedgerDatabase, run: RunKey, now: datetime) -> NotAllowedError:
    """Record that nobody answered in time, and return what the task fails with."""
    if shown := plans.plan_in_question(db, run):
        plans.record_rejection(db, run, shown[0], by=None, at=now)
    return NotAllowedError(
        "Nobody answered whether this plan may be sent before it became too old (`plan_valid_for`), so nothing of it is"
        " sent. Nobody is lost, the next run plans these people again; trigger one to plan them now."
    )


def name_of(user: Mapping[str, Any] | None) -> str | None:
    """Return the name of a user as Airflow gives it; None: it was no user, but a default or a time-out."""
    if not isinstance(user, Mapping):
        return None
    name = str(user.get("name") or user.get("id") or "").strip()
    return name[:250] or None


def instant(value: Any) -> datetime:
    """Return when somebody answered, in UTC; now, where Airflow does not say."""
    if isinstance(value, str):
        try:
            value = parse_iso(value)
        except ValueError:
            value = None
    if not isinstance(value, datetime) or value.tzinfo is None:
        return utc_now()
    return in_utc(value)


def _domains(db: LedgerDatabase, plan_id: str) -> list[str]:
    found = sorted(domains_of_plan(db, plan_id).items(), key=lambda item: (-item[1], item[0]))
    lines = [f"| {_code(domain)} | {count} |" for domain, count in found[:_DOMAINS_NAMED]]
    if rest := found[_DOMAINS_NAMED:]:
        lines.append(f"| {len(rest)} further domains | {sum(count for _, count in rest)} |")
    return lines


def _table(head: str, line: str, rows: list[str]) -> str:
    return "\n".join((f"| {head} |", f"| {line} |", *rows))


def _code(text: str) -> str:
    """Show a text as it is: no Markdown, no table cell, no line of it counts."""
    plain = re.sub(r"[`|\s]+", " ", text).strip()
    return f"`{plain}`"
