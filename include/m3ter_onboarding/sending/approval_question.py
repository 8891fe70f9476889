"""The question whether a plan may be sent, as people read it in Airflow; it names nobody (docs/delivery.md, rule 8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger import decision_names, mirror
from m3ter_onboarding.ledger.plan_counts import domains_of_plan

if TYPE_CHECKING:
    from m3ter_onboarding.config.approval_section import ApprovalSettings
    from m3ter_onboarding.ledger.database import LedgerDatabase
    from m3ter_onboarding.ledger.plans import PlannedPolicy, PlanRow

#: So many domains are named; of further ones only the number is given.
_DOMAINS_NAMED = 20
_NOT_THE_STARTER = " Not who started this run."


@dataclass(frozen=True)
class Question:
    """The text that a person reads.

    :param subject: one line.
    :param body: Markdown.
    """

    subject: str
    body: str


def write_question(
    db: LedgerDatabase, plan: PlanRow, *, config_name: str, approval: ApprovalSettings, link: str
) -> Question:
    """Write the question whether a plan may be sent.

    :param approval: who may approve.
    :param link: to the run's page, which shows the people to those who may see them.
    """
    guarded = [policy for policy in plan.policies if policy.administrator_like]
    until = utc_now() + timedelta(seconds=plan.seconds_left)
    name = mirror.read_state(db, plan.org_id).name
    organisation = f"{_code(name)} ({_code(plan.org_id)})" if name else _code(plan.org_id)
    asked = (
        f"**{plan.invitations} e-mails** to real people would be sent into the m3ter organisation"
        f" {organisation} by the configuration {_code(config_name)}; they cannot be recalled."
        f" You are asked because {', and '.join(plan.approval_because) or 'the plan needs it'}."
        f"{_who_may(approval)}"
        f"\n\n[See who, and why]({link}) before you answer."
    )
    end = (
        f"The connection may send invitations to this organisation. Rows read for {plan.window_start:%Y-%m-%d %H:%M} to"
        f" {plan.window_end:%Y-%m-%d %H:%M} UTC: {plan.rows_read}. Fingerprint {_code(plan.fingerprint or '')}."
        f"\n\n**Approve**: exactly this plan is sent. **Reject**, or no answer until {until:%Y-%m-%d %H:%M} UTC:"
        " it is not sent. Nobody is lost: the next run plans these people again."
    )
    body = "\n\n".join((asked, *_tables(db, plan, guarded), end))
    return Question(f"Send {plan.invitations} m3ter invitations for {config_name}?", body)


def _who_may(approval: ApprovalSettings) -> str:
    who = f" May approve: {', '.join(map(_code, approval.approvers))}." if approval.approvers else ""
    return f"{who}{_NOT_THE_STARTER}" if approval.not_by_who_triggered else who


def approvers_named(body: str) -> tuple[list[str], bool]:
    """Return who may approve, as a question says: names (none: any user), and whether not who started the run.

    :param body: as :func:`write_question` wrote it.
    """
    first = body.partition("\n\n")[0]
    named = re.search(r" May approve: (`[^`]*`(?:, `[^`]*`)*)\.", first)
    return re.findall(r"`([^`]*)`", named[1]) if named else [], first.endswith(_NOT_THE_STARTER)


def _tables(db: LedgerDatabase, plan: PlanRow, guarded: list[PlannedPolicy]) -> tuple[str, str, str]:
    decisions = [
        f"| {_code(name)} | {decision_names.decision(*name.partition(':')[::2])} | {count} |"
        for name, count in plan.counts.items()
    ]
    policies = [
        f"| {_code(str(policy.name))} | {'**yes**' if policy in guarded else 'no'} |" for policy in plan.policies
    ]
    return (
        _table("decision | what it means | rows", "--- | --- | ---:", decisions),
        _table(
            "permission policy | makes administrators",
            "--- | ---",
            policies or ["| none: an invitation gives no rights | no |"],
        ),
        _table("domain of the addresses | invitations", "--- | ---:", _domains(db, plan.plan_id)),
    )


def _domains(db: LedgerDatabase, plan_id: str) -> list[str]:
    found = sorted(domains_of_plan(db, plan_id).items(), key=lambda item: (-item[1], item[0]))
    lines = [f"| {_code(domain)} | {count} |" for domain, count in found[:_DOMAINS_NAMED]]
    if rest := found[_DOMAINS_NAMED:]:
        lines.append(f"| {len(rest)} further domains | {sum(count for _, count in rest)} |")
    return lines


def _table(head: str, line: str, rows: list[str]) -> str:
    return "\n".join((f"| {head} |", f"| {line} |", *rows))


def _code(text: str) -> str:
    """Show a text as it is: neither Markdown, nor a table cell, nor a line break of it has an effect."""
    plain = re.sub(r"[`|\s]+", " ", text).strip()
    return f"`{plain}`"
