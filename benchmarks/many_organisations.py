"""Parsing 200 configurations, against 200 plain DAGs of five tasks each, by Airflow's own parser, in the same run.

As 200 DAG files, and as one file with a loop. Each configuration has a file of its own, and extends one shared file
with the shared query. Fresh processes in turn (A B, B A, …): processor time of the whole process, the start of the
interpreter and of Airflow included, and of the parsing alone. The limit is for the median of the ratios of whole
processes, pair by pair. Plain DAGs have no form of parameters, no configuration that is checked, and no query.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

LIMIT = 1.15
PAIRS = 8
MANY = 200

_PARSE = """
import sys, time
from airflow.dag_processing.dagbag import DagBag
began = time.process_time()
bag = DagBag(dag_folder=sys.argv[1])
print(time.process_time(), time.process_time() - began, len(bag.dags), len(bag.import_errors))
"""
_IMPORTS = "from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.empty import EmptyOperator\n"
_PLAIN = """
with DAG("plain_{number}", schedule="0 6 * * *") as dag:
    a, b, c, d, e = (EmptyOperator(task_id=name) for name in ("snapshot", "plan", "approve", "send", "report"))
    a >> b >> c >> d >> e
"""
_OURS = '"""New hires, invited by Airflow."""\n\nfrom m3ter_onboarding import onboarding_dag\n'
_QUERY = """
SELECT employee_id, email, first_name, last_name, organisation
FROM hires WHERE loaded_at >= :window_start AND loaded_at < :window_end
"""


def main() -> None:
    """Print the figures."""
    for title, one_file in ((f"{MANY} files", False), ("one file", True)):
        ratio = measure(title, PAIRS, one_file=one_file)
        print(f"right: at most {LIMIT}" if ratio <= LIMIT else f"WRONG: more than {LIMIT}")


def measure(title: str, pairs: int, *, one_file: bool) -> float:
    """Measure and print; return the median ratio of processor time of whole processes."""
    with tempfile.TemporaryDirectory(prefix="m3ter-bench-") as folder:
        ours, plain = Path(folder, "ours"), Path(folder, "plain")
        write_ours(ours, one_file=one_file)
        write_plain(plain, one_file=one_file)
        for dags in (ours, plain):  # compiled, and in the page cache
            parse(dags)
        taken: dict[Path, list[tuple[float, float]]] = {ours: [], plain: []}
        for number in range(pairs):
            for dags in (ours, plain) if number % 2 else (plain, ours):
                taken[dags].append(parse(dags))
    for name, dags in (("our DAGs", ours), ("plain DAGs", plain)):
        whole, parsing = (statistics.median(values) for values in zip(*taken[dags], strict=True))
        print(f"{title:<10} {name:<11} process {whole:.2f} s, parsing {parsing:.2f} s (medians of {pairs})")
    ratios = [
        statistics.median(a[kind] / b[kind] for a, b in zip(taken[ours], taken[plain], strict=True)) for kind in (0, 1)
    ]
    print(f"{title:<10} ratio       process {ratios[0]:.3f}, parsing {ratios[1]:.3f} (medians of pairs)", flush=True)
    return ratios[0]


def write_ours(folder: Path, *, one_file: bool) -> None:
    """Write a folder of DAG files, with a configuration for each organisation."""
    config = folder / "config"
    config.mkdir(parents=True)
    names = [f"org{number}" for number in range(MANY)]
    (config / "hires.sql").write_text(_QUERY, encoding="utf-8")
    shared = f"warehouse_conn_id: warehouse\nquery: hires.sql\norganisations: [{', '.join(names)}]\n"
    (config / "shared.yaml").write_text(shared, encoding="utf-8")
    for name in names:
        own = f"extends: shared.yaml\nname: {name}\nm3ter_conn_id: m3ter_{name}\norganisation: {name}\n"
        (config / f"{name}.yaml").write_text(own, encoding="utf-8")
        if not one_file:
            text = f'{_OURS}\ndag = onboarding_dag("config/{name}.yaml")\n'
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
    if one_file:
        each = '    globals()[f"d{number}"] = onboarding_dag(f"config/org{number}.yaml")'
        loop = f"\nfor number in range({MANY}):\n{each}"
        (folder / "all.py").write_text(f"{_OURS}{loop}\n", encoding="utf-8")


def write_plain(folder: Path, *, one_file: bool) -> None:
    """Write a folder of DAG files that know nothing of us."""
    folder.mkdir()
    if one_file:
        each = _PLAIN.replace('"plain_{number}"', 'f"plain_{number}"') + 'globals()[f"d{number}"] = dag\n'
        loop = f"for number in range({MANY}):\n{textwrap.indent(each, '    ')}"
        (folder / "all.py").write_text(_IMPORTS + loop, encoding="utf-8")
        return
    for number in range(MANY):
        (folder / f"plain{number}.py").write_text(_IMPORTS + _PLAIN.format(number=number), encoding="utf-8")


def parse(folder: Path) -> tuple[float, float]:
    """Parse a folder in a process of its own; return its seconds of processor time, and those of the parsing alone."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    done = subprocess.run(
        [sys.executable, "-c", _PARSE, str(folder)], env=environment, check=True, capture_output=True, text=True
    )
    whole, parsing, dags, errors = done.stdout.splitlines()[-1].split()
    if (int(dags), int(errors)) != (MANY, 0):
        raise RuntimeError(f"{folder.name}: {dags} DAGs and {errors} import errors instead of {MANY} and none")
    return float(whole), float(parsing)
