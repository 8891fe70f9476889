"""The reasons of decisions, as they stand in the planner and in the contract of a row."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_APPLICATION = Path(__file__).parent.parent / "include" / "m3ter_onboarding"
_VERDICTS = ("invite", "skip", "invalid", "review")


def reasons() -> set[str]:
    """Name every reason that a row can be decided for."""
    return set(_of_rows()) | set(_of_whole_rows()) | set(_of_the_planner())


def _of_rows() -> Iterator[str]:
    """Read what a row can be invalid for: the first argument of what raises or passes on a flaw."""
    for call in _nodes("source/new_hire.py"):
        match call:
            case ast.Call(
                func=ast.Name(id="_FlawError" | "_required" | "_name" | "_person_name"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def _of_whole_rows() -> Iterator[str]:
    for call in (*_nodes("planning/erased_rows.py"), *_nodes("source/routing.py")):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Decision":
            for keyword in call.keywords:
                if keyword.arg == "reason" and isinstance(keyword.value, ast.Constant):
                    yield str(keyword.value.value)


def _of_the_planner() -> Iterator[str]:
    for node in _nodes_of("planner", "restrictions", "occasion"):
        match node:
            case ast.Call(func=ast.Name(id="Occasion" | "_Judged"), args=[_, ast.Constant(value=str(reason)), *_]):
                yield reason
            case ast.Call(func=ast.Name(id="_decision"), args=[_, ast.Constant(), ast.Constant(value=str(reason)), *_]):
                yield reason
            case ast.Call(func=ast.Name(id="Restriction"), args=[_, ast.Constant(value=str(reason)), *_]):
                yield reason
            case ast.Assign(
                targets=[ast.Tuple(elts=[ast.Name(id="reason"), *_])],
                value=ast.Tuple(elts=[ast.Constant(value=str(reason)), *_]),
            ):
                yield reason
            case ast.Return(value=ast.Tuple(elts=[ast.Constant(value=str(reason)), *_])):
                yield reason


def order_in_the_planner() -> list[str]:
    """Read the decisions in the order of the planner's docstring; ``invalid:<field>`` stays as it is."""
    text = ast.get_docstring(_tree("planning/planner.py")) or ""
    return re.findall(rf"``((?:{'|'.join(_VERDICTS)}):[\w<>]+)``", text)


def _nodes_of(*modules: str) -> Iterator[ast.AST]:
    for module in modules:
        yield from _nodes(f"planning/{module}.py")


def _nodes(name: str) -> Iterator[ast.AST]:
    return ast.walk(_tree(name))


def _tree(name: str) -> ast.Module:
    return ast.parse((_APPLICATION / name).read_text(encoding="utf-8"))
