"""Dependencies point one way: dags → m3ter_onboarding → m3ter_provider; the sandbox stands alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
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


def imported(path: Path) -> Iterator[str]:
    """Name the top-level modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_package_imports_only_what_stands_below_it(folder: str) -> None:
    files = [*(ROOT / folder).rglob("*.py")]
    assert files
    wrong = {
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files
        for module in imported(path)
        if module in OURS - MAY_IMPORT[folder]
    }
    assert not wrong


def test_the_sandbox_needs_no_airflow() -> None:
    files = [*(ROOT / "include/m3ter_sandbox").rglob("*.py")]
    assert not [path.name for path in files if "airflow" in set(imported(path))]


def test_dag_files_are_a_few_lines() -> None:
    for path in (ROOT / "dags").glob("*.py"):
        statements = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(statements) <= 6, f"{path.name} does more than name its configuration"
