"""The outcome of a run, which decides its colour in Airflow: a success, or the problems that make it red."""

from __future__ import annotations

from m3ter_onboarding.ledger.plans import PlanRow
from m3ter_onboarding.ledger.remaining import Remaining


def problems_of(
    plan: PlanRow | None, left: Remaining | None, unfinished: list[str], fail_on_refused: bool
) -> list[str]:
    """Return why a run is not a success, a sentence each; none: it is one.

    :param left: of the plan.
    :param unfinished: tasks that did not succeed.
    """
    if unfinished:
        return [f"The task {' and '.join(unfinished)} did not succeed; its log says why. Nothing was sent after it."]
    if plan is None or left is None:
        return ["No plan was completed, so nothing was sent; the next run reads these days again."]
    if not plan.sendable:
        return []
    problems = []
    unsent = left.unsent + left.fallen_back
    if plan.rejected_at is not None and not plan.rejected_by:
        problems.append(
            f"Nobody approved the plan in time, so {unsent} invitation(s) were not sent; the next run plans these"
            " people again."
        )
    elif plan.needs_approval and not plan.approved and plan.rejected_at is None:
        problems.append(
            f"Nobody approved the plan, so {unsent} invitation(s) were not sent; clear the task `approve`, and answer"
            " its question."
        )
    elif unsent and plan.rejected_at is None:
        problems.append(f"{unsent} invitation(s) of the plan were not sent; the next run sends them.")
    if left.open + left.held:
        problems.append(f"{left.open + left.held} invitation(s) are still open; the next run settles them.")
    if left.review:
        problems.append(
            f"{left.review} invitation(s) need a person: whether they were sent cannot be seen in m3ter, or another"
            " address of the employee was invited meanwhile; see m3ter_invitation and m3ter_invitation_event."
        )
    if left.no_trace:
        problems.append(
            f"{left.no_trace} invitation(s) got no answer in two attempts, and m3ter shows no trace of them: they were"
            " not sent. The next run tries again."
        )
    if left.failed and fail_on_refused:
        problems.append(
            f"{left.failed} invitation(s) were refused; `message` in m3ter_invitation says why. They are tried again"
            " when the row in the warehouse changes."
        )
    return problems
