"""Erasure of people from the ledger and from the warehouse to which its results are published.

For the command, and for a task: one function for a person, one for everything older than a date.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Engine

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.errors import ErasureRefusedError
from m3ter_onboarding.ledger import erasure, erasure_by_age
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.erased_people import read_secret
from m3ter_onboarding.ledger.erasure import Erased, ErasureRequest
from m3ter_onboarding.ledger.personal_columns import People
from m3ter_onboarding.reporting.publication import holds_a_ledger
from m3ter_onboarding.reporting.published_erasure import delete_older, delete_people
from m3ter_onboarding.source.warehouse import warehouse_engine
from m3ter_provider.email_identity import email_key

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ErasureContext:
    """An erasure for one configuration.

    :param org_id: of the m3ter connection.
    :param by: who asks; recorded.
    :param now: UTC.
    :param still_in_m3ter: erase people who are still in m3ter's lists, too.
    :param rehearse: count only; nothing is changed.
    :param secret: returns the secret of the hashes.
    :param batch: people, or rows, of one transaction, where many are erased.
    """

    config: OnboardingConfig
    db: LedgerDatabase
    org_id: str
    by: str = field(repr=False)
    now: datetime
    still_in_m3ter: bool = False
    rehearse: bool = False
    secret: Callable[[], str | None] = read_secret
    batch: int = 200

    @property
    def request(self) -> ErasureRequest:
        """What the ledger is asked for."""
        return ErasureRequest(
            org_id=self.org_id,
            by=self.by,
            now=self.now,
            secret=self.secret(),
            still_in_m3ter=self.still_in_m3ter,
            rehearse=self.rehearse,
            batch=self.batch,
        )


def erase_person(
    context: ErasureContext, *, employee_id: str | None = None, email: str | None = None
) -> Mapping[str, int]:
    """Erase one person, and return how many rows there were, by where.

    :param employee_id: as the warehouse has it; or *email*.
    :raises ErasureRefusedError: when an invitation of theirs is open, or m3ter still lists them.
    :raises LedgerError: when ledger or warehouse refuse, or the secret is missing.
    """
    if (employee_id is None) == (email is None):
        raise ErasureRefusedError("Name one person, by employee id or by address. Nothing was erased.")
    address = None if email is None else email_key(email)
    people = erasure.person_of(context.db, context.org_id, employee_id=employee_id, address=address)
    request = context.request
    # Refused before anything is deleted.
    counts = dict(erasure.erase_person(context.db, replace(request, rehearse=True), people).counts)
    if context.rehearse:
        return counts
    with _published_to(context) as warehouse:
        # First there: once the ledger has forgotten them, nobody knows whose rows those are. And again, for what a
        # report published meanwhile.
        deleted = 0 if warehouse is None else delete_people(warehouse, context.org_id, people)
        erased = erasure.erase_person(context.db, request, people)
        deleted += 0 if warehouse is None else delete_people(warehouse, context.org_id, people)
    return _logged(erased, deleted)


def erase_before(context: ErasureContext, before: datetime) -> Mapping[str, int]:
    """Erase everything older than an instant, and return how many rows there were, by where.

    :param before: UTC.
    :raises ErasureRefusedError: when people might still be invited of whom it is.
    :raises LedgerError: when ledger or warehouse refuse, or the secret is missing.
    """
    days = context.config.max_age_days
    if before > context.now - context.config.max_age:
        raise ErasureRefusedError(
            f"What is newer than `max_age_days` ({days} days) may be of people who are still to be invited. Nothing was"
            " erased; give an earlier date."
        )
    deleted = 0
    with _published_to(context) as warehouse:

        def on_people(people: People) -> None:
            nonlocal deleted
            if warehouse is not None:
                deleted += delete_people(warehouse, context.org_id, people)

        erased = erasure_by_age.erase_before(context.db, context.request, before, on_people=on_people)
        if warehouse is not None and not context.rehearse:
            deleted += delete_older(warehouse, context.org_id, before)
    return erased.counts if context.rehearse else _logged(erased, deleted)


def _logged(erased: Erased, deleted: int) -> Mapping[str, int]:
    counts = {**erased.counts, **({"published": deleted} if deleted else {})}
    removed = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing was left"
    log.info("Erasure %s: %s.", erased.erasure_id or "(none)", removed)
    return counts


@contextmanager
def _published_to(context: ErasureContext) -> Iterator[Engine | None]:
    """Open the warehouse to which results are published; None: the ledger is in it."""
    config = context.config
    if config.ledger_conn_id == config.warehouse_conn_id:
        yield None
        return
    warehouse = warehouse_engine(config.warehouse_conn_id)
    try:
        yield None if holds_a_ledger(context.db, warehouse) else warehouse
    finally:
        warehouse.dispose()
