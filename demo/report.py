"""What the demo says at the end: what happened, and whether it was right."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from demo.expectation import compare, expect
from demo.run import Chapter
from demo.scene import DAG_ID, Scene


@dataclass(frozen=True)
class Plan:
    """One plan as the ledger recorded it.

    :param rows: rows of the warehouse in the plan's window, counted by the demo itself
    :param decisions: number of decisions by name, such as ``invite:new``
    """

    run_id: str
    rows: int
    decisions: Counter[str]


@dataclass(frozen=True)
class Verdict:
    """Whether the outcome is right.

    :param right: sentences about what holds
    :param wrong: sentences about what does not
    """

    right: tuple[str, ...]
    wrong: tuple[str, ...]


def judge(scene: Scene, chapters: Sequence[Chapter], approved: frozenset[str] = frozenset()) -> Verdict:
    """Compare m3ter's own mailbox with the labels of the people; the ledger is asked for the accounting only.

    :param approved: addresses of plans that a person approved, beside those of the chapters
    """
    expectation, emails = expect(scene.people()), scene.m3ter.emails()
    expectation = replace(expectation, one_each=expectation.one_each | approved)
    right, wrong = [], compare(expectation, emails)
    if not wrong:
        right.append(
            f"each of the {expectation.emails} people who should have an e-mail got exactly one, nobody else did"
        )
    for name, chapter in (("preview", chapters[0]), ("backfill", chapters[-1])):
        if chapter.posts:
            wrong.append(f"the {name} sent {chapter.posts} POSTs")
        else:
            right.append(f"the {name} sent 0")
    plans = read_plans(scene)
    lost = [plan for plan in plans if plan.rows != plan.decisions.total()]
    wrong += [f"{plan.run_id} read {plan.rows} rows and made {plan.decisions.total()} decisions" for plan in lost]
    if not plans:
        wrong.append("the ledger holds no plan")
    elif not lost:
        right.append(f"rows in = decisions out in each of {len(plans)} plans")
    return Verdict(tuple(right), tuple(wrong))


def read_plans(scene: Scene) -> list[Plan]:
    """Read the sealed plans from the ledger, oldest first."""
    with scene.warehouse.connection() as connection:
        plans = connection.execute(
            "SELECT plan_id, run_id, window_start, window_end FROM m3ter_onboarding_plan"
            " WHERE dag_id = ? AND sealed_at IS NOT NULL ORDER BY created_at",
            (DAG_ID,),
        ).fetchall()
        decisions: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for plan_id, decision, reason, number in connection.execute(
            "SELECT plan_id, decision, reason, count(*) FROM m3ter_onboarding_decision GROUP BY 1, 2, 3"
        ):
            decisions[plan_id][f"{decision}:{reason}"] = number
    return [
        Plan(run_id, scene.warehouse.count_rows(start, end), decisions[plan_id])
        for plan_id, run_id, start, end in plans
    ]


def report(scene: Scene, chapters: Sequence[Chapter], verdict: Verdict, seconds: float) -> str:
    """Write the end report."""
    plans = {plan.run_id: plan for plan in read_plans(scene)}
    kinds = ("invite", "skip", "invalid", "review")
    width = max(len(chapter.title) for chapter in chapters)
    lines = ["", f"{'':{width}}{'rows':>7}{''.join(f'{kind:>9}' for kind in kinds)}{'e-mails':>10}"]
    for chapter in chapters:
        found = [plans[run_id] for run_id in chapter.run_ids if run_id in plans]
        by_kind = _by_kind(found)
        numbers = "".join(f"{by_kind[kind].total():>9}" for kind in kinds)
        lines.append(f"{chapter.title:{width}}{sum(plan.rows for plan in found):>7}{numbers}{chapter.emails:>10}")
    lines.append("(A run reads the rows of earlier days again while somebody in them is too early to be invited.)")
    runs = [plans[run_id] for chapter in chapters[1:-1] for run_id in chapter.run_ids if run_id in plans]
    lines += ["", "Decisions of the two runs by hand, by reason"]
    for kind, reasons in _by_kind(runs).items():
        pieces = [f"{reason} {number}" for reason, number in reasons.most_common()]
        lines += _wrapped(f"  {kind:<9}", pieces or ["nobody"])
    emails = scene.m3ter.emails()
    most = max(emails.values(), default=0)
    lines += [
        "",
        f"m3ter sent {sum(emails.values())} e-mails to {len(emails)} addresses, at most {most} to one address.",
        f"The ledger holds {_ledger(scene)}.",
        "",
        *(f"  right: {sentence}" for sentence in verdict.right),
        *(f"  WRONG: {sentence}" for sentence in verdict.wrong),
        "",
        f"{'The outcome is right' if not verdict.wrong else 'The outcome is WRONG'}; it took {seconds:.0f} s.",
    ]
    return "\n".join(lines)


def _by_kind(plans: Sequence[Plan]) -> dict[str, Counter[str]]:
    kinds: dict[str, Counter[str]] = {kind: Counter() for kind in ("invite", "skip", "invalid", "review")}
    for plan in plans:
        for name, number in plan.decisions.items():
            kind, _, reason = name.partition(":")
            kinds[kind][reason] += number
    return kinds


def _ledger(scene: Scene) -> str:
    with scene.warehouse.connection() as connection:
        states = connection.execute(
            "SELECT origin, state, count(*) FROM m3ter_invitation GROUP BY 1, 2 ORDER BY 3 DESC"
        ).fetchall()
        [events] = connection.execute("SELECT count(*) FROM m3ter_invitation_event").fetchone()
    ours = [f"{number} {state}" for origin, state, number in states if origin == "claimed"]
    found = [f"{number} {state}" for origin, state, number in states if origin != "claimed"]
    return f"{', '.join(ours) or 'nothing'} by us, {', '.join(found) or 'nothing'} found in m3ter; {events} events"


def _wrapped(head: str, pieces: list[str], width: int = 96) -> list[str]:
    lines, line = [], head
    for number, piece in enumerate(pieces):
        addition = piece + (" · " if number < len(pieces) - 1 else "")
        if len(line) + len(addition) > width and line.strip() != head.strip():
            lines.append(line.rstrip())
            line = " " * len(head)
        line += addition
    return [*lines, line.rstrip()]
