"""Engines connect as Airflow's hook itself would."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import Connection
from sqlalchemy import URL, Engine, text
from sqlalchemy.dialects import registry
from sqlalchemy.exc import OperationalError

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.databases.connections import database_engine
from m3ter_onboarding.databases.hook_connections import hooked_engine
from m3ter_onboarding.errors import LedgerUnusableError, OnboardingError, SourceError
from m3ter_onboarding.ledger.database import open_ledger
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.schema import prepare_tables
from m3ter_onboarding.source.warehouse import check_source
from tests.support.databases import airflow_connection_named
from tests.support.postgresql import PostgresDatabase
from tests.support.tcp_port import tcp_port_of

QUERY = (
    "SELECT 'E1' AS employee_id, 'ann@example.com' AS email, 'Ann' AS first_name, 'Lee' AS last_name"
    " WHERE :window_start <> :window_end"
)


class Postgres:
    """A PostgreSQL without TLS, over TCP.

    :param database: one of its databases.
    """

    def __init__(self, database: PostgresDatabase, port: int) -> None:
        self.database, self.port = database, port

    def connection(self, **extras: Any) -> str:
        fields = {"host": "127.0.0.1", "port": self.port, "login": "postgres", "password": "none"}
        return json.dumps({"conn_type": "postgres", "schema": self.database.name, **fields, "extra": extras})

    def run(self, statement: str) -> list[Any]:
        with psycopg.connect(host=str(self.database.folder), user="postgres", dbname=self.database.name) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def postgres(postgres_database: PostgresDatabase) -> Iterator[Postgres]:
    with tcp_port_of(postgres_database.folder) as port:
        yield Postgres(postgres_database, port)


def warehouse(conn_id: str) -> Engine:
    return database_engine(conn_id, what="warehouse", key="warehouse_conn_id", error=SourceError)


def schema_of_ledger(postgres: Postgres) -> str:
    (row,) = postgres.run("SELECT schemaname FROM pg_tables WHERE tablename = 'm3ter_invitation'")
    return str(row[0])


@pytest.mark.parametrize("extras", [{}, {"sslmode": "disable"}, {"connect_timeout": 5, "cursor": "dictcursor"}])
def test_postgresql_without_tls_is_reached_where_nobody_asks_for_tls(
    postgres: Postgres, extras: dict[str, Any]
) -> None:
    with airflow_connection_named(postgres.connection(**extras)) as conn_id:
        check_source(conn_id, QUERY, utc_now())
        with closing(open_ledger(conn_id)) as db:
            assert prepare_tables(db, create_tables=True, now=utc_now(), package_version="") is None
    assert schema_of_ledger(postgres) == "public"


@pytest.mark.parametrize("place", ["extras", "sqlalchemy_query"])
@pytest.mark.parametrize("scheme", [None, "postgresql+psycopg", "postgresql+psycopg2"])
@pytest.mark.parametrize("sslmode", ["require", "verify-full"])
def test_postgresql_without_tls_is_refused_where_the_connection_asks_for_tls(
    postgres: Postgres, place: str, scheme: str | None, sslmode: str
) -> None:
    tls = {"sslmode": sslmode, "sslrootcert": "/etc/ssl/certs/ca-certificates.crt"}
    extras: dict[str, Any] = tls if place == "extras" else {"sqlalchemy_query": tls}
    with airflow_connection_named(postgres.connection(**extras, sqlalchemy_scheme=scheme)) as conn_id:
        with pytest.raises(SourceError, match=r"could not be reached: .*server does not support SSL"):
            check_source(conn_id, QUERY, utc_now())
        with closing(open_ledger(conn_id)) as db, pytest.raises(OnboardingError, match="server does not support SSL"):
            LedgerReader(db).check()


def test_the_ledger_is_made_in_the_schema_that_the_options_name(postgres: Postgres) -> None:
    postgres.run("CREATE SCHEMA onboarding")
    with airflow_connection_named(postgres.connection(options="-c search_path=onboarding")) as conn_id:
        hook = PostgresHook(postgres_conn_id=conn_id)
        with closing(hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("SELECT current_schema()")
            assert cursor.fetchone() == ("onboarding",)
        with closing(open_ledger(conn_id)) as db:
            prepare_tables(db, create_tables=True, now=utc_now(), package_version="")
    assert schema_of_ledger(postgres) == "onboarding"


def test_everything_that_the_hook_gives_its_driver_reaches_the_engine(postgres: Postgres) -> None:
    options = "-c statement_timeout=4321 -c timezone=Asia/Tokyo"
    extras = {
        "options": options,
        "application_name": "onboarding",
        "keepalives_idle": 30,
        "target_session_attrs": "any",
    }
    with airflow_connection_named(postgres.connection(**extras)) as conn_id:
        engine = warehouse(conn_id)
        with engine.connect() as connection:
            names = ("statement_timeout", "timezone", "application_name")
            assert [connection.execute(text(f"SHOW {name}")).scalar_one() for name in names] == [
                "4321ms",
                "Asia/Tokyo",
                "onboarding",
            ]
        engine.dispose()


def test_a_transaction_is_one_whatever_the_extras_say(postgres: Postgres) -> None:
    """The hook sets it anew for each statement; without transactions a claim would be no claim."""
    postgres.run("CREATE TABLE person (name text)")
    with airflow_connection_named(postgres.connection(autocommit=True)) as conn_id:
        engine = warehouse(conn_id)
        with engine.connect() as connection:
            connection.execute(text("INSERT INTO person VALUES ('x')"))
            connection.rollback()
        engine.dispose()
    assert postgres.run("SELECT count(*) FROM person") == [(0,)]


@pytest.mark.parametrize(
    ("extras", "names"),
    [
        ({"sslmode": "verify-full", "sqlalchemy_query": {"sslmode": "prefer"}}, "sslmode .*sqlalchemy_query"),
        pytest.param(
            {"sslmode": "require", "sqlalchemy_scheme": "postgresql+pg8000"},
            "makes no SQLAlchemy engine|sslmode",
            marks=pytest.mark.skipif(
                "sqlalchemy_scheme:" not in (PostgresHook.__doc__ or ""), reason="older hooks do not know this extra"
            ),
        ),
    ],
)
def test_extras_of_postgresql_that_cannot_have_their_effect_are_rejected_by_name(
    postgres: Postgres, extras: dict[str, Any], names: str
) -> None:
    with (
        airflow_connection_named(postgres.connection(**extras)) as conn_id,
        pytest.raises(LedgerUnusableError, match=names),
    ):
        open_ledger(conn_id)


def test_an_extra_that_libpq_does_not_know_is_named(postgres: Postgres) -> None:
    with (
        airflow_connection_named(postgres.connection(ssl_mode="verify-full")) as conn_id,
        pytest.raises(SourceError, match='invalid connection option "ssl_mode"'),
    ):
        check_source(conn_id, QUERY, utc_now())


def test_a_token_of_aws_is_asked_for_with_each_connection(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens: list[str] = []

    def token(_hook: Any, _connection: Any) -> tuple[str, str, int]:
        tokens.append("postgres")
        return tokens[-1], "a-token", postgres.port

    monkeypatch.setattr(PostgresHook, "get_iam_token", token)
    with airflow_connection_named(postgres.connection(iam=True)) as conn_id:
        engine = warehouse(conn_id)
        before = len(tokens)
        for _ in range(2):
            with engine.connect() as connection:
                assert connection.execute(text("SELECT 1")).scalar_one() == 1
                connection.invalidate()
        engine.dispose()
    assert len(tokens) == before + 2


def test_statements_are_prepared_on_the_server_only_where_an_extra_asks_for_it(postgres: Postgres) -> None:
    for extras, prepared in (({}, 0), ({"prepare_threshold": 1}, 1)):
        with airflow_connection_named(postgres.connection(**extras)) as conn_id:
            engine = warehouse(conn_id)
            with engine.connect() as connection:
                for number in range(8):
                    connection.execute(text("SELECT CAST(:number AS int)"), {"number": number})
                counted = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%AS int)'")
                assert connection.execute(counted).scalar_one() == prepared
            engine.dispose()


def test_sqlite_is_opened_as_the_extras_say(tmp_path: Path) -> None:
    file = tmp_path / "100% people.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE person (name text)")
    hook = FakeHook({}, "sqlite")
    # Written as this SQLAlchemy reads it: 2.0 leaves `%25` in the name of a database as it is.
    hook.uri = URL.create("sqlite", database=str(file), query={"mode": "ro"}).render_as_string()
    engine = hooked_engine(hook, refused)
    with engine.connect() as opened:
        assert opened.execute(text("SELECT count(*) FROM person")).scalar_one() == 0
        with pytest.raises(OperationalError, match="readonly"):
            opened.execute(text("INSERT INTO person VALUES ('x')"))
    engine.dispose()


@pytest.mark.parametrize("query", [{}, {"mode": "ro"}])
def test_airflow_is_asked_once_for_the_url_of_sqlite(tmp_path: Path, query: dict[str, str]) -> None:
    hook = FakeHook({}, "sqlite")
    hook.uri = URL.create("sqlite", database=str(tmp_path / "people.db"), query=query).render_as_string()
    hooked_engine(hook, refused).dispose()
    assert hook.asked == 1


def test_a_warehouse_in_sqlite_that_is_opened_for_reading_is_only_read(tmp_path: Path) -> None:
    file = tmp_path / "people.db"
    sqlite3.connect(file).close()
    given = json.dumps({"conn_type": "sqlite", "host": str(file), "extra": {"mode": "ro"}})
    with airflow_connection_named(given) as conn_id:
        engine = warehouse(conn_id)
        with engine.connect() as opened, pytest.raises(OperationalError, match="readonly"):
            opened.execute(text("CREATE TABLE person (name text)"))
        engine.dispose()


def test_connections_to_sqlite_may_pass_from_thread_to_thread(tmp_path: Path) -> None:
    """Each call of a task's ledger runs in whichever thread is free."""
    with airflow_connection_named(json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "l.db")})) as conn_id:
        engine = warehouse(conn_id)

        def read() -> int:
            with engine.connect() as connection:
                return int(connection.execute(text("SELECT 1")).scalar_one())

        assert read() == 1
        with ThreadPoolExecutor(1) as other:
            assert other.submit(read).result() == 1
        engine.dispose()


# -- hooks of other databases, which are not installed here


class FakeHook(DbApiHook):
    """A hook whose engine is made of a URL alone, as DbApiHook makes it, and whose driver is SQLite's."""

    conn_name_attr = "fake_conn_id"
    uri = "sqlite://"

    def __init__(self, extras: dict[str, Any], conn_type: str = "mysql") -> None:
        super().__init__(connection=Connection(conn_id="fake", conn_type=conn_type, extra=json.dumps(extras)))
        self.conn_type = conn_type
        self.opened = 0
        self.asked = 0

    def get_uri(self) -> str:
        self.asked += 1
        return self.uri

    def get_conn(self) -> Any:
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.create_function("told", 0, lambda: json.dumps(self.connection_extra))
        return connection


class ForeignConnection:
    """What another driver connects with."""

    def close(self) -> None:
        """Close it."""


class OtherDriver(FakeHook):
    """The hook's own driver is another than SQLAlchemy's."""

    def get_conn(self) -> Any:
        return ForeignConnection()


class NoDriver(FakeHook):
    """The hook cannot connect, though SQLAlchemy could."""

    def get_conn(self) -> Any:
        raise ValueError("Unknown client")


class OlderDriver(FakeHook):
    """The hook's driver is too old for an extra: MySQL's ``ssl_mode``, where MariaDB's library stands for it."""

    uri = "sqlite://?ssl_mode=VERIFY_IDENTITY"

    def get_conn(self) -> Any:
        raise TypeError("'ssl_mode' is an invalid keyword argument for connect()")


def refused(extras: list[str], why: str) -> OnboardingError:
    return SourceError(f"no effect: {', '.join(extras)} ({why})")


def test_where_the_hook_has_the_dialects_driver_the_hook_connects() -> None:
    engine = hooked_engine(FakeHook({"ssl": {"ca": "/ca.pem"}, "role": "reader"}), refused)
    with engine.connect() as connection:
        assert "/ca.pem" in connection.execute(text("SELECT told()")).scalar_one()
    engine.dispose()


@pytest.mark.parametrize(("hook", "why"), [(OtherDriver, "another driver than its hook"), (NoDriver, "ValueError")])
def test_where_it_has_not_extras_that_the_address_lacks_are_rejected_by_name(hook: type[FakeHook], why: str) -> None:
    for extras, uri in (({}, "sqlite://"), ({"timeout": "5", "client": "other"}, "sqlite://?timeout=5")):
        harmless = hook(extras)
        harmless.uri = uri
        engine = hooked_engine(harmless, refused)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1
        engine.dispose()
    engine = hooked_engine(hook({"ssl": {"ca": "/ca.pem"}, "role": "reader"}), refused)
    with pytest.raises(SourceError, match=rf"no effect: ssl, role \(.*{why}"):
        engine.connect()
    engine.dispose()


@pytest.mark.filterwarnings("ignore:Query string argument:sqlalchemy.exc.SAWarning")
def test_an_extra_that_the_driver_does_not_know_is_named() -> None:
    engine = hooked_engine(OlderDriver({"ssl_mode": "VERIFY_IDENTITY"}), refused)
    with pytest.raises(SourceError, match=r"no effect: ssl_mode \(its driver, sqlite3, does not know one of them"):
        engine.connect()
    engine.dispose()


class SnowflakeHook(FakeHook):
    """Its engine is its own, and lacks what its driver gets."""

    def get_sqlalchemy_engine(self, engine_kwargs: Any = None) -> Engine:
        return super().get_sqlalchemy_engine(engine_kwargs)

    def _get_conn_params(self) -> dict[str, Any]:
        return {"proxy_host": "proxy.example.com", "proxy_port": 3128, "role": "reader", "password": "secret"}


def test_the_proxy_of_snowflakes_hook_reaches_its_engine() -> None:
    from sqlalchemy import event

    engine, seen = hooked_engine(SnowflakeHook({}, "snowflake"), refused), {}

    def look(_dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> Any:
        seen.update(options)
        return sqlite3.connect(":memory:")

    event.listen(engine, "do_connect", look)
    engine.connect().close()
    assert seen["proxy_host"] == "proxy.example.com"
    assert seen["proxy_port"] == 3128
    assert "password" not in seen
    engine.dispose()


class BigQueryHook(FakeHook):
    """Its engine takes two ways to log in; its client takes all."""

    project_id, location = "people", "EU"

    def get_client(self, **options: Any) -> Any:
        if "key_secret_name" not in self.connection_extra:
            raise OSError("no credentials: a-secret")
        return options

    def get_sqlalchemy_engine(self, engine_kwargs: Any = None) -> Engine:
        raise AssertionError("it would log in as somebody else")


@pytest.fixture
def bigquery_dialect() -> Iterator[None]:
    from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

    class Dialect(SQLiteDialect_pysqlite):
        supports_statement_cache = True

        def create_connect_args(self, url: Any) -> Any:
            assert url.query == {"user_supplied_client": "true"}
            return [":memory:"], {}

        def connect(self, *arguments: Any, **options: Any) -> Any:
            connection = sqlite3.connect(*arguments)
            connection.create_function("told", 0, lambda: json.dumps(options["client"]))
            return connection

    registry.impls["bigquery"] = lambda: Dialect
    yield
    del registry.impls["bigquery"]


@pytest.mark.usefixtures("bigquery_dialect")
def test_bigquery_gets_the_client_of_its_hook() -> None:
    extras = {"key_secret_name": "k", "use_legacy_sql": False, "priority": "INTERACTIVE"}
    engine = hooked_engine(BigQueryHook(extras, "gcpbigquery"), refused)
    with engine.connect() as connection:
        client = {"project_id": "people", "location": "EU"}
        assert json.loads(connection.execute(text("SELECT told()")).scalar_one()) == client
    engine.dispose()


def test_extras_of_bigquery_that_its_dialect_does_not_know_are_rejected_by_name() -> None:
    extras = {"key_secret_name": "k", "extra__google_cloud_platform__use_legacy_sql": True, "priority": "BATCH"}
    with pytest.raises(SourceError, match="no effect: use_legacy_sql, priority"):
        hooked_engine(BigQueryHook(extras, "gcpbigquery"), refused)


def test_credentials_of_bigquery_are_not_quoted() -> None:
    with pytest.raises(Exception, match="OSError") as caught:
        hooked_engine(BigQueryHook({}, "gcpbigquery"), refused)
    assert "a-secret" not in str(caught.value)
