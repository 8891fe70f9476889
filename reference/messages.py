"""The messages of the product, as they stand in its source: what is raised, logged and reported.

A message is known by its template: its literal text, with ``…`` where a value goes in. ``docs/messages.md`` names each
by its first words; a test compares the two.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = (ROOT / "plugins" / "m3ter_provider", ROOT / "include" / "m3ter_onboarding")

#: Clauses and not sentences: they are part of a message that is collected (or of a decision's ``detail``).
CLAUSES = frozenset({"ValueError", "PydanticCustomError", "_FlawError"})
#: For programmers, not for users.
PROGRAMMING = frozenset({"TypeError", "AttributeError", "NotImplementedError", "AssertionError", "RuntimeError"})
#: Functions whose texts are shown as they are.
SENTENCES = {
    ("run_outcome.py", "problems_of"): "report",
    ("problems.py", "_sentence"): "ConfigurationError",
    ("run_parameters.py", "_sentence"): "RunParameterError",
    ("status_parameters.py", "_sentence"): "RunParameterError",
    ("connection_check.py", "_reading"): "test",
    ("connection_check.py", "_sending"): "test",
    ("connection_check.py", "_explained"): "test",
    ("connection_check.py", "failed_test"): "test",
    ("pause_switch.py", "reason"): "pause",
}
#: Files whose constants are shown as they are.
CONSTANTS = {"network_failures.py": "reason"}
_LOGGERS = ("log", "_log", "logger")
_VALUE = r"%[-0-9.]*[sdrfg]"
_LEVELS = ("info", "warning", "error", "exception", "critical")


@dataclass(frozen=True, order=True)
class Message:
    """One message.

    :param kind: the class of the error, or where else it is shown: ``log``, ``report``, ``ledger``, ``test`` of a
        connection; ``reason``, ``stop`` and ``pause`` are reasons within another message.
    :param template: its text, ``…`` for each value in it.
    :param place: file and line, relative to the repository.
    """

    kind: str
    template: str
    place: str = field(compare=False)


@lru_cache(maxsize=1)
def messages() -> tuple[Message, ...]:
    """Find every message of the provider and the application."""
    found = {
        message for package in PACKAGES for path in sorted(package.rglob("*.py")) for message in _File(path).messages()
    }
    return tuple(sorted(found))


def passed_on() -> set[str]:
    """Name what is raised or logged without a text of its own: file and expression."""
    return {
        f"{path.name}: {ast.unparse(said)}"
        for package in PACKAGES
        for path in sorted(package.rglob("*.py"))
        for said in _File(path).without_text()
    }


class _File:
    """One source file: which of its calls make a message, and what their texts are."""

    def __init__(self, path: Path) -> None:
        self.place = path.relative_to(ROOT).as_posix()
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
        self.within: dict[ast.AST, ast.FunctionDef | ast.AsyncFunctionDef | None] = {}
        self._note(self.tree, None)

    def _note(self, node: ast.AST, function: ast.FunctionDef | ast.AsyncFunctionDef | None) -> None:
        self.within[node] = function
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self.functions[node.name] = function = node
        for child in ast.iter_child_nodes(node):
            self._note(child, function)

    def messages(self) -> Iterator[Message]:
        for call in self._calls():
            for keyword in call.keywords:
                if keyword.arg == "message" and isinstance(keyword.value, ast.Constant | ast.JoinedStr):
                    for template in self._texts(keyword.value):
                        yield Message("ledger", template, f"{self.place}:{call.lineno}")
            kind = _kind(call)
            said = _said(call)
            if kind is None or kind in CLAUSES | PROGRAMMING or said is None:
                continue
            for template in self._texts(said):
                if re.search(r"[A-Za-z]{2}", template):  # else it only passes on what another one says
                    yield Message(kind, template, f"{self.place}:{call.lineno}")
        for file, kind in CONSTANTS.items():
            for node in self.tree.body if self.place.endswith(f"/{file}") else ():
                match node:
                    case ast.Assign(value=ast.Constant(value=str(text))):
                        yield Message(kind, text, f"{self.place}:{node.lineno}")
        for (file, name), kind in SENTENCES.items():
            if self.place.endswith(f"/{file}") and (function := self.functions.get(name)):
                for template in _strings(function):
                    yield Message(kind, template, f"{self.place}:{function.lineno}")

    def without_text(self) -> Iterator[ast.expr]:
        for call in self._calls():
            said = _said(call) if _kind(call) not in {None, *CLAUSES, *PROGRAMMING} else None
            if said is not None and not any(self._texts(said)):
                yield said

    def _calls(self) -> Iterator[ast.Call]:
        return (node for node in self.within if isinstance(node, ast.Call))

    def _texts(self, expression: ast.expr, seen: frozenset[str] = frozenset()) -> Iterator[str]:
        """Give the templates that an expression may have; nothing for a text that comes from elsewhere."""
        match expression:
            case ast.Constant(value=str(text)):
                # A text of logging's has % for values.
                yield re.sub(_VALUE, "…", text)
            case ast.JoinedStr(values=parts):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
            case ast.IfExp(body=body, orelse=orelse):
                yield from self._texts(body, seen)
                yield from self._texts(orelse, seen)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                lefts, rights = list(self._texts(left, seen)) or ["…"], list(self._texts(right, seen)) or ["…"]
                yield from (before + after for before in lefts for after in rights)
            case ast.Name(id=name) if name not in seen:
                yield from self._of_name(expression, name, seen | {name})
            case ast.Attribute(attr=name) if name.isupper() and name not in seen:
                yield from _constant(name)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name)):
                if name in self.functions and name not in seen:
                    for node in ast.walk(self.functions[name]):
                        if isinstance(node, ast.Return) and node.value is not None:
                            yield from self._texts(node.value, seen | {name})

    def _of_name(self, name_node: ast.expr, name: str, seen: frozenset[str]) -> Iterator[str]:
        function = self.within[name_node]
        if function is None:
            return
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                yield from self._texts(node.value, seen)
        parameters = [argument.arg for argument in function.args.args if argument.arg != "self"]
        if name in parameters:
            for call in self._calls():
                called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", None)
                if called == function.name and len(call.args) > parameters.index(name):
                    yield from self._texts(call.args[parameters.index(name)], seen)


def _kind(call: ast.Call) -> str | None:
    function = call.func
    if isinstance(function, ast.Attribute):
        owner = function.value
        name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
        if function.attr == "request" and name in ("stop", "self"):
            return "stop"
        return "log" if name in _LOGGERS and function.attr in _LEVELS else None
    if isinstance(function, ast.IfExp):
        function = function.body
    name = getattr(function, "id", "")
    # ``error`` is a parameter: the class that a caller wants.
    return name if re.fullmatch(r"_?[A-Z]\w*(Error|Exception)|error", name) else None


def _said(call: ast.Call) -> ast.expr | None:
    """Return the argument that holds the text: the first, or the one after a status."""
    match call:
        case ast.Call(args=[ast.Constant(value=int()), *rest], keywords=keywords):
            named = [keyword.value for keyword in keywords if keyword.arg == "detail"]
            return next(iter([*rest, *named]), None)
        case ast.Call(args=[first, *_]):
            return first
    return None


def _constant(name: str) -> Iterator[str]:
    """Give the text of a constant of some module."""
    for package in PACKAGES:
        for path in package.rglob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                match node:
                    case ast.Assign(targets=[ast.Name(id=found)], value=ast.Constant(value=str(text))) if found == name:
                        yield re.sub(_VALUE, "…", text)


def _strings(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Give every sentence that stands in a function."""
    within: set[ast.AST] = set(ast.walk(function.body[0])) if ast.get_docstring(function) else set()
    for node in ast.walk(function):
        if isinstance(node, ast.JoinedStr) and node not in within:
            within.update(ast.walk(node))
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
            if not text.startswith(" ("):  # an addition to another one
                yield text.strip()
        elif isinstance(node, ast.Constant) and node not in within and str(node.value).endswith("."):
            yield str(node.value)


@dataclass(frozen=True)
class Comparison:
    """What page and source do not have in common.

    :param unexplained: messages that the page does not name.
    :param outdated: entries of the page that are no message any more.
    """

    unexplained: tuple[Message, ...]
    outdated: tuple[str, ...]


def compare(page: str) -> Comparison:
    """Compare the source's messages with the entries of a page: code in the first cell of a table's row.

    An entry explains every message that begins with it.

    :param page: its Markdown.
    """
    entries = {_comparable(entry).rstrip("… ") for entry in re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)}
    used: set[str] = set()
    unexplained = []
    for message in messages():
        fitting = [entry for entry in entries if _comparable(message.template).startswith(entry)]
        used.update(fitting)
        if not fitting:
            unexplained.append(message)
    return Comparison(tuple(unexplained), tuple(sorted(entries - used)))


def _comparable(text: str) -> str:
    return re.sub(r"…+", "…", text.replace("`", "")).strip()


if __name__ == "__main__":
    for message in messages():
        print(f"{message.kind:28} {message.place:50} {message.template}")
