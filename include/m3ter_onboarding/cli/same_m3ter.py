"""``same-m3ter``: a person says that the connection's host is the m3ter that the ledger knows."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from airflow.sdk.exceptions import AirflowException

from m3ter_onboarding.cli.failure import CommandError
from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.errors import ConfigurationError

Say = Callable[[str], None]


def confirm_same_m3ter(
    path: Path, *, yes: bool, say: Say, ask: Callable[[str], str] = input, now: datetime | None = None
) -> int:
    """Show both hosts, ask, and record the answer.

    :param path: the YAML file.
    :param yes: do not ask.
    :param say: takes one line.
    :param ask: returns the answer to a question.
    :param now: aware; for tests.
    :returns: the exit status: 0, or 1 where the answer was not yes.
    :raises CommandError: when the configuration is wrong, or the ledger cannot be used.
    """
    try:
        config = load_config(path)
    except ConfigurationError as error:
        raise CommandError(str(error)) from None
    # As in Airflow's own commands: connections that are kept in the metadata database are found too.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    try:
        return _confirm(config, yes, say, ask, now or utc_now())
    except AirflowException as error:
        raise CommandError(str(error)) from None


def _confirm(config: OnboardingConfig, yes: bool, say: Say, ask: Callable[[str], str], now: datetime) -> int:
    from m3ter_onboarding.ledger.database import open_ledger
    from m3ter_onboarding.ledger.known_hosts import Confirmation, Place, confirm_host, known_host
    from m3ter_onboarding.ledger.schema import prepare_tables
    from m3ter_provider import __version__
    from m3ter_provider.hooks.m3ter import M3terHook

    settings = M3terHook(config.m3ter_conn_id).settings
    place = Place(settings.org_id, settings.base_url)
    with closing(open_ledger(config.ledger_conn_id, config.ledger_schema)) as db:
        prepare_tables(db, create_tables=config.create_tables, now=now, package_version=__version__)
        known = known_host(db, place.org_id)
        if known is None:
            say(f"The ledger has no host for the organisation {place.org_id} yet: its next reading records one.")
            return 0
        if known == place.base_url:
            say(f"The ledger knows the organisation {place.org_id} at {known} already.")
            return 0
        say(f"The ledger knows the organisation {place.org_id} at {known}; the connection leads to {place.base_url}.")
        say("What was sent there counts as sent here. The next run reads m3ter anew; plans made before are not sent.")
        if not yes and ask("Is it the same m3ter? Type yes: ").strip().lower() != "yes":
            say("Nothing was recorded.")
            return 1
        if not confirm_host(db, Confirmation(place, known, getpass.getuser(), now)):
            raise CommandError("The ledger has another host by now; run the command again.")
        say(f"Recorded: the organisation {place.org_id} is at {place.base_url}.")
    return 0
