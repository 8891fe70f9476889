"""Dependencies point one way: dags → m3ter_onboarding → m3ter_provider; the sandbox stands alone.

Inside the application a folder imports only those before it, in the order that a hire passes them. Every import counts:
inside functions and under ``TYPE_CHECKING`` too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
OURS = {"m3ter_provider", "m3ter_onboarding", "m3ter_sandbox", "demo", "reference", "tests", "benchmarks"}
MAY_IMPORT = {
    "plugins/m3ter_provider": {"m3ter_provider"},
    "include/m3ter_onboarding": {"m3ter_onboarding", "m3ter_provider"},
    "include/m3ter_sandbox": {"m3ter_sandbox"},
    "dags": {"m3ter_onboarding"},
}
#: Modules at the top of the application that every folder may import.
SHARED = {"clock", "errors", "privacy"}
BELOW = {"config", "databases", "ledger"}
#: What each folder of the application, and each module at its top, may import beside itself and SHARED.
MAY_IMPORT_FOLDERS: Mapping[str, set[str]] = {
    **{name: set() for name in SHARED},
    "databases": set(),
    "config": set(),
    "ledger": {"databases"},
    "source": BELOW,
    "mirroring": BELOW | {"source"},
    "planning": BELOW | {"source", "mirroring"},
    "sending": BELOW | {"source", "mirroring", "planning"},
    "reporting": BELOW | {"source", "mirroring", "planning", "sending"},
    "tasks": BELOW | {"source", "mirroring", "planning", "sending", "reporting"},
    "page": BELOW | {"source", "mirroring", "planning", "sending", "reporting", "tasks"},
    "cli": BELOW | {"source", "mirroring", "planning", "sending", "reporting"},
    "dag": {"config", "reporting", "tasks"},
    "__main__": {"cli"},
    "": {"dag", "tasks"},  # the package itself: its public names
}


def imported(path: Path) -> Iterator[str]:
    """Yield the names that a file imports, inside functions too: of ``from a import b`` both ``a`` and ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_packages(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    return {name.partition(".")[0] for name in imported(path)}


@cache
def graph(folder: str) -> Mapping[str, set[str]]:
    """Return the modules of a package, and which modules of it each imports by name."""
    paths = {}
    for path in (ROOT / folder).rglob("*.py"):
        parts = path.relative_to((ROOT / folder).parent).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found: dict[str, set[str]] = {}
    for module, path in paths.items():
        names = {name for name in imported(path) if name in paths}
        # `from package import module` imports the module; the package too only where nothing else is imported of it.
        found[module] = {name for name in names if not any(other.startswith(f"{name}.") for other in names)} - {module}
    return found


def top(module: str) -> str:
    """Return the folder of the application that a module is in, or its own name where it is in none."""
    return module.partition(".")[2].partition(".")[0]


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_package_imports_only_what_stands_below_it(folder: str) -> None:
    files = [*(ROOT / folder).rglob("*.py")]
    assert files
    wrong = {
        f"{path.relative_to(ROOT)} imports {package}"
        for path in files
        for package in imported_packages(path) & (OURS - MAY_IMPORT[folder])
    }
    assert not wrong


def test_every_folder_of_the_application_has_its_place() -> None:
    assert {top(module) for module in graph("include/m3ter_onboarding")} == set(MAY_IMPORT_FOLDERS)


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT_FOLDERS))
def test_a_folder_of_the_application_imports_only_those_before_it(folder: str) -> None:
    allowed = MAY_IMPORT_FOLDERS[folder] | SHARED | {folder}
    wrong = {
        (module, other)
        for module, others in graph("include/m3ter_onboarding").items()
        for other in others
        if top(module) == folder and top(other) not in allowed
    }
    assert wrong == set()


def test_the_table_of_folders_has_no_cycle() -> None:
    TopologicalSorter(MAY_IMPORT_FOLDERS).prepare()


@pytest.mark.parametrize("folder", ["plugins/m3ter_provider", "include/m3ter_onboarding", "include/m3ter_sandbox"])
def test_modules_import_each_other_in_no_cycle(folder: str) -> None:
    assert len(graph(folder)) > 20
    try:
        TopologicalSorter(graph(folder)).prepare()
    except CycleError as error:
        pytest.fail(" ← ".join(error.args[1]))


def test_the_page_has_no_sql_of_its_own() -> None:
    files = [*(ROOT / "include/m3ter_onboarding/page").rglob("*.py")]
    # Of Airflow's metadata, by Airflow's own models.
    with_sql = {path.name for path in files if "sqlalchemy" in imported_packages(path)}
    assert with_sql == {"airflow_runs.py", "onboarding_dags.py", "run_notes.py"}


def test_the_sandbox_needs_no_airflow() -> None:
    files = [*(ROOT / "include/m3ter_sandbox").rglob("*.py")]
    assert not [path.name for path in files if "airflow" in imported_packages(path)]


def test_dag_files_are_a_few_lines() -> None:
    for path in (*(ROOT / "dags").glob("*.py"), *(ROOT / "demo" / "dags").glob("*.py")):
        statements = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(statements) <= 7, f"{path.name} does more than name its configuration"
