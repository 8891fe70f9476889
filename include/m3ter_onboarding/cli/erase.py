"""``erase``: one person's data, or everything older than a date, leave the ledger and the published tables."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException

from m3ter_onboarding.cli.failure import CommandError
from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.errors import ConfigurationError

if TYPE_CHECKING:
    from m3ter_onboarding.reporting.erasure_everywhere import ErasureContext

Say = Callable[[str], None]

_KINDS = {
    "employees": "employee id(s) that are never invited again",
    "addresses": "address(es) that are never invited again",
    "decisions": "decision(s)",
    "invitations": "invitation(s); states, ids and instants stay",
    "events": "message(s) of events",
    "worklist": "entry(ies) of the worklist",
    "access_review": "finding(s) of the access review",
    "day_one": "row(s) of people who start soon",
    "chase": "row(s) of invitations to chase",
    "runs": "run(s) for one employee",
    "mirror": "entry(ies) of m3ter's lists, as last read",
    "published": "row(s) published to the warehouse, deleted",
}


@dataclass(frozen=True)
class ErasureOptions:
    """The options of the command; exactly one of *employee_id*, *email* and *before* is given.

    :param before: a date, UTC.
    :param yes: erase without asking.
    """

    employee_id: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    before: str | None = None
    still_in_m3ter: bool = False
    yes: bool = False


def erase(
    path: Path, options: ErasureOptions, *, say: Say, ask: Callable[[str], str] = input, now: datetime | None = None
) -> int:
    """Count what would be erased, ask, and erase it.

    :param path: the YAML file.
    :param say: takes one line.
    :param ask: returns the answer to a question.
    :param now: aware; for tests.
    :returns: the exit status: 0, or 1 where the answer was not yes.
    :raises CommandError: when the configuration is wrong, or the erasure is refused.
    """
    before = None if options.before is None else _date(options.before)
    try:
        config = load_config(path)
    except ConfigurationError as error:
        raise CommandError(str(error)) from None
    # As in Airflow's own commands: connections that are kept in the metadata database are found too.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    try:
        return _erase(config, options, before, say, ask, now or utc_now())
    except AirflowException as error:
        raise CommandError(str(error)) from None


def _erase(
    config: OnboardingConfig,
    options: ErasureOptions,
    before: datetime | None,
    say: Say,
    ask: Callable[[str], str],
    now: datetime,
) -> int:
    from m3ter_onboarding.ledger.database import open_ledger
    from m3ter_onboarding.reporting.erasure_everywhere import ErasureContext
    from m3ter_provider.hooks.m3ter import M3terHook

    with closing(open_ledger(config.ledger_conn_id, config.ledger_schema)) as db:
        context = ErasureContext(
            config=config,
            db=db,
            org_id=M3terHook(config.m3ter_conn_id).settings.org_id,
            by=getpass.getuser(),
            now=now,
            still_in_m3ter=options.still_in_m3ter,
        )
        say("This would erase, in the ledger of the configuration:" if not options.yes else "Erasing:")
        counted = _counts(replace(context, rehearse=True), options, before)
        _show(counted, say)
        if not options.yes and ask("It cannot be undone. Erase? Type yes: ").strip().lower() != "yes":
            say("Nothing was erased.")
            return 1
        _show(_counts(context, options, before), say, done=True)
    return 0


def _counts(context: ErasureContext, options: ErasureOptions, before: datetime | None) -> Mapping[str, int]:
    from m3ter_onboarding.reporting.erasure_everywhere import erase_before, erase_person

    if before is not None:
        return erase_before(context, before)
    return erase_person(context, employee_id=options.employee_id, email=options.email)


def _show(counts: Mapping[str, int], say: Say, *, done: bool = False) -> None:
    if done:
        say("Erased and recorded:" if any(counts.values()) else "There was nothing left to erase.")
    for name, meaning in _KINDS.items():
        if counts.get(name):
            say(f"  {counts[name]:6d}  {meaning}")


def _date(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)
    except ValueError:
        raise CommandError(f"--before {text}: write a date such as 2026-01-31.", status=2) from None
