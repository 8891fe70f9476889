"""The command line of ``m3ter-onboarding``.

Help and mistakes come at once: Airflow is imported only where it is used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from m3ter_onboarding.cli.failure import CommandError
from m3ter_onboarding.cli.warehouses import WAREHOUSES
from m3ter_provider import __version__

_DESCRIPTION = "Invite new hires from a SQL warehouse into m3ter with Apache Airflow: begin, check, make the tables."

_EXAMPLES = """\
examples:
  m3ter-onboarding init dags --warehouse postgres --name acme
      a DAG file, its configuration and its query, to be filled in
  m3ter-onboarding check dags/acme.yaml
      is the configuration right, and what would today's run read?
  m3ter-onboarding check --connect dags/acme.yaml
      and do warehouse, ledger and m3ter answer? Reads only.
  m3ter-onboarding ddl dags/acme.yaml | psql …
      the ledger's tables, where tasks may not make them

  m3ter-onboarding erase dags/acme.yaml --employee-id 1001
      remove one person's data; they are still never e-mailed again

exit status: 0 all is well; 1 something is wrong, and a sentence names the next step; 2 the command line is wrong
"""

_INIT = """\
Write three files into DIR: a DAG file, its configuration (YAML) and its query (SQL).

DIR is Airflow's DAG folder or a folder in it. Files that exist are never overwritten.
"""

_INIT_EXAMPLES = """\
examples:
  m3ter-onboarding init "$AIRFLOW_HOME/dags"
  m3ter-onboarding init dags/onboarding --warehouse snowflake --name acme
"""

_CHECK = """\
Check a configuration and its query, and describe in plain words the window of today's run.

Calls nothing, unless --connect is given. Then it runs the query over no time at all (are its columns right?), checks
whether the ledger is ready (every trial there is rolled back), and asks m3ter for our service user. Nothing is sent.
The queries of `exclude` and `access_review`, where there are any, are run too, and at most one row of each is read.
Where results are published, their tables are written by statements that change no row.
Connections are found as Airflow finds them: environment variables, secrets backends, the metadata database.
"""

_CHECK_EXAMPLES = """\
examples:
  m3ter-onboarding check dags/acme.yaml
  m3ter-onboarding check --connect dags/acme.yaml
  for file in dags/*.yaml; do m3ter-onboarding check "$file" || exit 1; done       # in CI, before a deployment
"""

_DDL = """\
Print the SQL that makes the ledger's tables, for teams whose tasks may not (`create_tables: false`).

Tables that exist are left alone, so it may be run again. The schema is the configuration's `ledger_schema`, or
--schema.
Where the warehouse is another database than the ledger, results are published to tables there: --published.
"""

_DDL_EXAMPLES = """\
examples:
  m3ter-onboarding ddl dags/acme.yaml --role airflow_tasks | psql "$LEDGER_AS_OWNER"
  m3ter-onboarding ddl --schema m3ter_onboarding > migrations/0042_m3ter_ledger.sql
  m3ter-onboarding ddl --dialect sqlite | sqlite3 ledger.db
  m3ter-onboarding ddl dags/acme.yaml --upgrade-from 1 | psql "$LEDGER_AS_OWNER"
  m3ter-onboarding ddl --published --dialect snowflake > results.sql
"""


_ERASE = """\
Remove one person's data, or everything older than a date, from ledger, mirror and published tables.

First it counts, and asks. A keyed hash of address and employee id stays, so such people are never invited again. Its
secret is the Airflow variable m3ter_onboarding_erasure_secret, which every run needs from then on. The warehouse's own
tables and m3ter are not touched: remove the person there too.
"""

_ERASE_EXAMPLES = """\
examples:
  m3ter-onboarding erase dags/acme.yaml --employee-id 1001
  m3ter-onboarding erase dags/acme.yaml --email ann@example.com --yes
  m3ter-onboarding erase dags/acme.yaml --before 2025-01-01
"""

_SAME_M3TER = """\
Say that the host of the m3ter connection is the m3ter that the ledger knows, after its address has changed.

The ledger keeps the host at which an organisation was first read, and refuses another one: a sandbox answers to any
organisation's id, and what it "sends" would count as sent. This command shows both hosts, asks, and records who said
yes. The next run reads m3ter anew, and plans that were made before are not sent.
"""

_SAME_M3TER_EXAMPLES = """\
examples:
  m3ter-onboarding same-m3ter dags/acme.yaml
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="m3ter-onboarding",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, short: str, description: str, epilog: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=short,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    _add_init(command("init", "write a DAG file, its configuration and its query", _INIT, _INIT_EXAMPLES))

    check = command("check", "check a configuration and its query", _CHECK, _CHECK_EXAMPLES)
    check.add_argument("config", metavar="CONFIG", type=Path, help="the YAML file")
    check.add_argument(
        "--connect",
        action="store_true",
        help="also try warehouse, ledger, rights and m3ter, and plan a run of now; nothing is left changed",
    )

    ddl = command("ddl", "print the SQL that makes the ledger's tables", _DDL, _DDL_EXAMPLES)
    ddl.add_argument("config", metavar="CONFIG", type=Path, nargs="?", help="the YAML file, for its ledger_schema")
    ddl.add_argument(
        "--dialect", metavar="NAME", default="postgresql", help="postgresql or sqlite (default %(default)s)"
    )
    ddl.add_argument("--schema", metavar="NAME", help="schema of the tables (default: the connection's own)")
    ddl.add_argument(
        "--upgrade-from", metavar="N", type=int, help="the SQL that brings tables of version N up to date, instead"
    )
    ddl.add_argument(
        "--published",
        action="store_true",
        help="the tables of results in another warehouse, instead; its --dialect as SQLAlchemy calls it",
    )
    ddl.add_argument(
        "--role", metavar="NAME", help="also grant this PostgreSQL role the rights that tasks need, and no more"
    )
    same = command("same-m3ter", "confirm that m3ter's host has changed", _SAME_M3TER, _SAME_M3TER_EXAMPLES)
    same.add_argument("config", metavar="CONFIG", type=Path, help="the YAML file")
    same.add_argument("--yes", action="store_true", help="do not ask")
    _add_erase(command("erase", "remove a person's data, or what is old", _ERASE, _ERASE_EXAMPLES))
    return parser


def _add_init(init: argparse.ArgumentParser) -> None:
    init.add_argument("folder", metavar="DIR", type=Path, help="Airflow's DAG folder, or a folder in it")
    init.add_argument(
        "--warehouse",
        metavar="NAME",
        choices=list(WAREHOUSES),
        default="postgres",
        help=f"kind of warehouse: {', '.join(WAREHOUSES)} (default %(default)s)",
    )
    init.add_argument("--name", default="example", help="of the organisation, ends the DAG's id (default %(default)s)")


def _add_erase(erase: argparse.ArgumentParser) -> None:
    erase.add_argument("config", metavar="CONFIG", type=Path, help="the YAML file")
    whom = erase.add_mutually_exclusive_group(required=True)
    whom.add_argument("--employee-id", metavar="ID", help="the person, as the warehouse has them, with all addresses")
    whom.add_argument("--email", metavar="ADDRESS", help="the person with this address")
    whom.add_argument("--before", metavar="DATE", help="everything older than this date (UTC), such as 2025-01-31")
    erase.add_argument(
        "--still-in-m3ter",
        action="store_true",
        help="erase the person here although m3ter still lists them; m3ter keeps its own data",
    )
    erase.add_argument("--yes", action="store_true", help="do not ask")


def _ddl(options: argparse.Namespace) -> str:
    from m3ter_onboarding.cli.ddl import ledger_ddl, published_ddl

    if not options.published:
        return ledger_ddl(options.dialect, options.schema, options.role, options.config, options.upgrade_from)
    if unfit := [name for name in ("config", "schema", "role", "upgrade_from") if getattr(options, name) is not None]:
        raise CommandError(
            f"--published makes tables in the warehouse connection's own schema; leave out {', '.join(unfit)}.",
            status=2,
        )
    return published_ddl(options.dialect)


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    :param arguments: of the command line; by default the process's own.
    :returns: the exit status.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.command == "init":
            from m3ter_onboarding.cli.init import write_example

            print(write_example(options.folder, options.warehouse, options.name), end="")
            return 0
        if options.command == "ddl":
            print(_ddl(options), end="")
            return 0
        if options.command == "erase":
            from m3ter_onboarding.cli.erase import ErasureOptions, erase

            chosen = ("employee_id", "email", "before", "still_in_m3ter", "yes")
            asked = ErasureOptions(**{name: getattr(options, name) for name in chosen})
            return erase(options.config, asked, say=print)
        if options.command == "same-m3ter":
            from m3ter_onboarding.cli.same_m3ter import confirm_same_m3ter

            return confirm_same_m3ter(options.config, yes=options.yes, say=print)
        from m3ter_onboarding.cli.check import check_configuration

        return check_configuration(options.config, connect=options.connect, say=print)
    except CommandError as error:
        print(f"m3ter-onboarding: {error}", file=sys.stderr)
        return error.status
    except BrokenPipeError:  # `… | head`
        sys.stderr.close()
        return 1
