"""Whether a module is written as a notifier: found out from its source, so that nothing of it runs."""

from __future__ import annotations

import ast
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

_LONGEST_SOURCE = 1_000_000


def is_written_as_notifier(path: str) -> bool:
    """Return whether the source of a module defines a class that is derived from one named ``…Notifier``.

    Neither the module nor a package that it is in is imported.

    :param path: dotted, of the class.
    """
    module, _, name = path.rpartition(".")
    spec = _found(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return False
    try:
        source = Path(spec.origin).read_bytes()
        tree = ast.parse(source) if len(source) <= _LONGEST_SOURCE else ast.Module([], [])
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(
        isinstance(node, ast.ClassDef) and node.name == name and any(map(_names_a_notifier, node.bases))
        for node in tree.body
    )


def _names_a_notifier(base: ast.expr) -> bool:
    return ast.unparse(base).rpartition(".")[2].endswith("Notifier")


def _found(module: str) -> ModuleSpec | None:
    """Return where a module lies; the packages around it are looked for in the same way, and not imported."""
    places: list[str] | None = None
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:count]), places)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or ())
    return spec
