"""How the source is cut: folders by step, files that fit a few screens, names that differ."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
APPLICATION = ROOT / "include" / "m3ter_onboarding"
PACKAGES = (APPLICATION, ROOT / "include" / "m3ter_sandbox", ROOT / "plugins" / "m3ter_provider")
FILES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))

#: Lines of a file, of a class and of a function, its docstring included.
LONGEST_FILE, LONGEST_CLASS, LONGEST_FUNCTION = 400, 250, 60

#: Tables that are only longer than the rest because there is so much to declare.
DECLARATIONS = {
    "ledger/tables.py": "the tables of the ledger, column by column",
    "ledger/tables.py Tables": "the tables of the ledger, column by column",
    "ledger/tables.py Tables.__init__": "the tables of the ledger, column by column",
    "config/trigger_form.py run_parameters": "the fields of the form, one after the other",
    "m3ter_provider/get_provider_info.py get_provider_info": "what Airflow reads of a provider: one dictionary",
}


def name_of(path: Path) -> str:
    """Return a file's path as this page writes it: within the application, or with its package."""
    package = next(package for package in PACKAGES if package in path.parents)
    return path.relative_to(package if package == APPLICATION else package.parent).as_posix()


def definitions(
    node: ast.AST, prefix: str = ""
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield every class and function below a node, with its qualified name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{child.name}", child
            yield from definitions(child, f"{prefix}{child.name}.")
        else:
            yield from definitions(child, prefix)


def too_long(path: Path) -> Iterator[str]:
    """Yield the file, and each class and function of it, that is longer than it may be."""
    text, name = path.read_text(encoding="utf-8"), name_of(path)
    if len(text.splitlines()) > LONGEST_FILE:
        yield name
    for qualified, node in definitions(ast.parse(text)):
        limit = LONGEST_CLASS if isinstance(node, ast.ClassDef) else LONGEST_FUNCTION
        if (node.end_lineno or 0) - node.lineno + 1 > limit:
            yield f"{name} {qualified}"


def test_the_application_has_few_folders_and_files_at_its_top() -> None:
    inside = [path for path in APPLICATION.iterdir() if path.name != "__pycache__"]
    assert len([path for path in inside if path.is_dir()]) <= 12
    assert len([path for path in inside if path.suffix == ".py"]) <= 6


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_every_folder_says_what_is_in_it(package: Path) -> None:
    folders = {path.parent for path in package.rglob("*.py") if "example_dags" not in path.parts}
    silent = [
        folder.relative_to(ROOT).as_posix()
        for folder in folders
        if not ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    ]
    assert not silent


def test_modules_of_the_application_have_names_of_their_own() -> None:
    by_name = defaultdict(list)
    for path in APPLICATION.rglob("*.py"):
        if path.name not in ("__init__.py", "__main__.py"):
            by_name[path.name].append(name_of(path))
    doubled = {name: paths for name, paths in by_name.items() if len(paths) > 1}
    assert doubled == {}, doubled


def test_files_classes_and_functions_fit_a_few_screens() -> None:
    found = {name for path in FILES for name in too_long(path)}
    assert len(FILES) > 100
    assert found <= set(DECLARATIONS)


def test_the_reading_order_of_a_folder_names_what_is_there() -> None:
    """A docstring that names a module which has moved leads a newcomer astray."""
    modules = {path.stem for path in FILES} | {path.parent.name for path in FILES}
    for folder in (path.parent for path in FILES if path.name == "__init__.py" and APPLICATION in path.parents):
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
        _, _, order = text.partition("Read ``")
        named = re.findall(r"``(\w+)``", f"``{order}")
        here = {child.stem for child in folder.iterdir()}
        assert set(named) - modules - here <= {"invalid"}, folder.name


def test_each_folder_says_in_which_order_to_read_its_files() -> None:
    missing = {
        f"{folder.relative_to(APPLICATION)}: {module.stem}"
        for folder in (path.parent for path in APPLICATION.rglob("__init__.py"))
        if folder != APPLICATION and folder.name != "routes"  # a file for each screen, and nothing else
        for module in folder.glob("*.py")
        if module.stem != "__init__" and f"``{module.stem}``" not in (folder / "__init__.py").read_text("utf-8")
    }
    assert missing == set()
