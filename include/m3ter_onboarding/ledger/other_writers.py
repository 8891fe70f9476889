"""Who beside the tasks may write to the ledger, as far as its database says; for a warning."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, text

from m3ter_onboarding.ledger.database import LedgerDatabase

_WRITERS = text(
    """
    SELECT DISTINCT COALESCE(r.rolname, 'PUBLIC') AS role
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL aclexplode(c.relacl) AS granted
    LEFT JOIN pg_roles AS r ON r.oid = granted.grantee
    WHERE c.relname IN :tables
      AND n.nspname = COALESCE(CAST(:schema AS TEXT), current_schema())
      AND granted.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
      AND granted.grantee <> c.relowner
      AND COALESCE(r.rolname, 'PUBLIC') <> current_user
    ORDER BY 1
    """
).bindparams(bindparam("tables", expanding=True))


def other_writers(db: LedgerDatabase) -> tuple[str, ...]:
    """Return the roles beside the tasks' own and the owner that may write to the ledger's tables.

    Superusers are not named, nor those who may become another role. SQLite knows no roles: nobody.
    """
    if db.engine.dialect.name != "postgresql":
        return ()
    tables = db.tables

    def work(connection: Connection) -> tuple[str, ...]:
        names = [table.name for table in tables.all()]
        chosen = connection.execute(_WRITERS, {"tables": names, "schema": tables.metadata.schema})
        return tuple(str(row.role) for row in chosen)

    return db.read(work, doing="looking who may write to the ledger")
