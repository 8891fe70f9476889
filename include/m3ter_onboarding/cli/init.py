"""``init``: a DAG file, its configuration and its query, to be filled in. Nothing that exists is touched."""

from __future__ import annotations

import re
import shlex
from importlib.resources import files
from pathlib import Path

from m3ter_onboarding.cli.failure import CommandError
from m3ter_onboarding.cli.warehouses import LEDGER_CONNECTION, WAREHOUSES, Warehouse
from m3ter_onboarding.config.names import (
    LONGEST_NAME,
    NAME_PATTERN,
    PAUSE_VARIABLE,
    dag_id_of,
    day_one_dag_id_of,
    is_reserved,
    status_dag_id_of,
)

_LEDGER_HERE = "# ledger_conn_id: warehouse           # SQLite or PostgreSQL; default: the warehouse"
_LEDGER_ELSEWHERE = "ledger_conn_id: ledger                # PostgreSQL: {title} cannot guard against a second e-mail"

_M3TER = (
    '{"conn_type": "m3ter", "login": "<access key id>", "password": "<API secret>",'
    ' "extra": {"org_id": "<organisation id>"}}'
)

_NEXT = """\
Wrote
  {dag_file}
      the Airflow DAGs {dag_id}, {status_dag_id} and {day_one_dag_id}, which start paused
  {config_file}
      its configuration
  {query_file}
      the query for {title}

Next
1. Put your table and its columns into the query, and look through the configuration.
2. Install {install} where Airflow runs, and give every component of Airflow
   the connections: in Airflow's UI, in a secrets backend, or in the environment, each as one line:

{exports}

   As long as the m3ter connection has no "allow_invitations": true in its extra, nothing can be sent.
3. Check it all; this reads, and sends nothing:

     m3ter-onboarding check --connect {config_shown}

4. Preview. Once Airflow has found the file:

     airflow dags unpause {dag_id}
     airflow dags trigger {dag_id} --conf '{{"mode": "dry_run"}}'

   The decisions are in the table m3ter_onboarding_decision.
5. Send: set "allow_invitations": true in the m3ter connection's extra, and trigger it again:

     airflow dags trigger {dag_id}

   Then set `schedule` in the configuration, and unpause the other two: they follow what became of the
   invitations, list who starts soon and is not ready, and send nothing.
"""


def write_example(folder: Path, warehouse_name: str, name: str) -> str:
    """Write the three files, all of them or none.

    :param folder: in (or below) Airflow's DAG folder; made where it is missing.
    :param warehouse_name: one of :data:`~m3ter_onboarding.cli.warehouses.WAREHOUSES`.
    :param name: of the organisation; the last part of the DAG's id.
    :returns: the files that were written, and the next steps.
    :raises CommandError: when one of the files exists, or cannot be written.
    """
    _check_name(name)
    warehouse = WAREHOUSES[warehouse_name]
    query_file, config_file = folder / f"{name}_new_hires.sql", folder / f"{name}.yaml"
    dag_file = folder / f"m3ter_onboarding_{name}.py"
    ledger = _LEDGER_HERE if warehouse.kind.holds_ledger else _LEDGER_ELSEWHERE.format(title=warehouse.kind.title)
    # The DAG file last: Airflow may be looking, and must not find it without its configuration.
    texts = {
        query_file: _template(f"new_hires/{warehouse.query}.sql"),
        config_file: _template("config.yaml.template")
        .replace("{{ledger}}", ledger)
        .replace("{{name_as_text}}", name if name[0].isalpha() else f'"{name}"')  # YAML reads 123 as a number
        .replace("{{name}}", name),
        dag_file: _template("dag.py.template").replace("{{name}}", name),
    }
    if existing := [str(path) for path in texts if path.exists() or path.is_symlink()]:
        raise CommandError(
            f"Nothing was written, since this is there already: {', '.join(existing)}. Choose another folder or another"
            " --name, or move it away."
        )
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            with path.open("x", encoding="utf-8", newline="\n") as file:  # "x": not even one that appeared just now
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise CommandError(
            f"{error.filename or folder} cannot be written: {error.strerror}. Nothing was left behind; choose a folder"
            " that you may write to."
        ) from None
    return _NEXT.format(
        dag_file=dag_file,
        config_file=config_file,
        query_file=query_file,
        config_shown=shlex.quote(str(config_file)),
        dag_id=dag_id_of(name),
        status_dag_id=status_dag_id_of(name),
        day_one_dag_id=day_one_dag_id_of(name),
        title=warehouse.kind.title,
        install=warehouse.install,
        exports="\n".join(f"     export {line}" for line in _connections(warehouse)),
    )


def _check_name(name: str) -> None:
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > LONGEST_NAME:
        raise CommandError(
            f"--name {name}: a name is made of letters, digits, '_' and '-', at most {LONGEST_NAME} of them. Choose"
            " another.",
            status=2,
        )
    if is_reserved(name):
        raise CommandError(
            f"--name {name}: this word means everybody or nobody in the pause switch (the Airflow variable"
            f" {PAUSE_VARIABLE}). Choose another.",
            status=2,
        )


def _connections(warehouse: Warehouse) -> list[str]:
    lines = [f"AIRFLOW_CONN_M3TER_DEFAULT='{_M3TER}'", f"AIRFLOW_CONN_WAREHOUSE='{warehouse.connection_json}'"]
    if not warehouse.kind.holds_ledger:
        lines.append(f"AIRFLOW_CONN_LEDGER='{LEDGER_CONNECTION}'")
    return lines


def _template(name: str) -> str:
    return files("m3ter_onboarding").joinpath("examples").joinpath(name).read_text(encoding="utf-8")
