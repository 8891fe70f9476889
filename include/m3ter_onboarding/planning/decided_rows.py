"""The rows of a run's query, each with its decision; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.errors import PlanError
from m3ter_onboarding.ledger import mirror
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.ledger.erased_people import ErasedPeople
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.sealing import SealingKey
from m3ter_onboarding.planning.aliases import Aliases
from m3ter_onboarding.planning.erased_rows import decide_erased
from m3ter_onboarding.planning.facts import Facts, read_facts
from m3ter_onboarding.planning.plan_settings import PlanSettings, trusted_by_id
from m3ter_onboarding.planning.planner import decide
from m3ter_onboarding.planning.rare_collections import WHILE_PLANNING, rare_collections
from m3ter_onboarding.planning.read_rows import ReadRows
from m3ter_onboarding.planning.warehouse_exclusions import ListedPeople, read_excluded
from m3ter_onboarding.source.new_hire import NewHire, ValidatedRow
from m3ter_onboarding.source.window import Window


@dataclass(frozen=True)
class PlanningRun:
    """The run that a plan is made for.

    :param window: the days that its query reads.
    :param seals: the key of the seals over what the plan may send.
    :param plans_only_because: why nothing of the plan may be sent; None: it may.
    :param is_backfill: whether the run is one of a backfill, which share one cap.
    :param allowed_domains: of the m3ter connection; empty: any.
    """

    key: RunKey
    org_id: str
    window: Window
    parameters: RunParameters
    seals: SealingKey = field(repr=False)
    plans_only_because: str | None = None
    is_backfill: bool = False
    allowed_domains: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecidedRows:
    """What was decided, and by which facts.

    :param rows: how many there are.
    :param policies: the permission policies of the organisation.
    :param erased: how many people had been erased before anybody was looked up.
    :param parts: the decisions, one for each row, in parts of any order; they can be read once.
    """

    rows: int
    policies: Sequence[M3terPolicy]
    erased: ErasedPeople = field(repr=False)
    parts: Iterator[list[Decision]] = field(repr=False)


@contextmanager
def decide_rows(
    config: OnboardingConfig,
    db: LedgerDatabase,
    run: PlanningRun,
    *,
    mirror_full_at: datetime | None,
    now: datetime,
    settle: Callable[[], None] | None = None,
) -> Iterator[DecidedRows]:
    """Read and validate all rows; look up and decide them while they are taken.

    :param mirror_full_at: when m3ter's invitations were last read to the end.
    :param settle: called before anybody is looked up.
    :raises SourceError: when the new hires cannot be read.
    :raises PlanError: when a policy is missing or ambiguous, or the secret of the hashes of erased people is missing.
    """
    with rare_collections(WHILE_PLANNING), ReadRows(config, run.parameters.only_employee, now) as rows:
        rows.read(run.window)
        _, erased = decide_erased(db, run.org_id, ())
        if settle is not None:
            settle()
        decisions = _Decisions(config, db, run, mirror_full_at, now)
        yield DecidedRows(len(rows), decisions.policies, erased, decisions.of(rows))


class _Decisions:
    """Decides about the rows of a plan, a part after the other."""

    def __init__(
        self,
        config: OnboardingConfig,
        db: LedgerDatabase,
        run: PlanningRun,
        mirror_full_at: datetime | None,
        now: datetime,
    ) -> None:
        self._db = db
        self._run = run
        self._now = now
        self._mirror_full_at = mirror_full_at
        self._listed = ListedPeople(read_excluded(config))
        self.policies = trusted_by_id(mirror.policies_of(db, run.org_id), config)
        self._rules = PlanSettings.of_run(config, run.parameters, allowed_domains=run.allowed_domains)
        excluded = self._rules.excluded_employees | self._listed.employees
        self._aliases = Aliases(db, run.org_id, now, excluded_employees=excluded)
        decide((), Facts(policies=self.policies), self._rules, now=now)  # wrong settings are found before the first row

    def of(self, rows: ReadRows) -> Iterator[list[Decision]]:
        """Yield the decisions about all rows."""
        for part in rows.parts():
            yield self._decide(part)
        self._aliases.log()

    def _decide(self, rows: Sequence[ValidatedRow]) -> list[Decision]:
        rows, _ = decide_erased(self._db, self._run.org_id, rows)
        facts = read_facts(
            self._db,
            [row for row in rows if isinstance(row, NewHire)],
            self._listed.among(rows),
            self.policies,
            run=self._run.key,
            org_id=self._run.org_id,
            mirror_full_at=self._mirror_full_at,
        )
        decisions = self._aliases.point_out(decide(rows, facts, self._rules, now=self._now))
        if len(decisions) != len(rows):
            raise PlanError(f"{len(rows)} rows were read and {len(decisions)} decisions made; nothing is sent.")
        return decisions
