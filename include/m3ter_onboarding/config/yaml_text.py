"""YAML as configurations are written in: a key stands once, texts stay texts, and variables of the environment.

``${M3TER_ONBOARDING_…}`` stands for a variable of the environment, ``${M3TER_ONBOARDING_…:-…}`` with what is taken
where it is not set, and ``$${`` for the characters themselves. Other variables cannot be named: a configuration is
shown in Airflow's UI, and they may hold secrets.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from m3ter_onboarding.errors import ConfigurationError

#: Begins the name of each variable that a configuration may name.
VARIABLE_PREFIX = "M3TER_ONBOARDING_"

_VARIABLE = re.compile(r"(?P<escaped>\$)?\$\{(?P<name>[^}:]*)(?P<default>:-[^}]*)?\}")
#: libyaml calls itself for what is nested: characters of a text, and of those that can open something.
_LONGEST, _MOST_OPENED = 50_000, 1_000
#: What the two do not always read alike: characters that nobody sees, tags, block texts, directives, complex keys.
_READ_OTHERWISE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff!?|>%]")
_INTEGER, _NUMBER, _TEXT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:str"


def parse_shared_mapping(text: str, path: Path) -> dict[Any, Any]:
    """Return what :func:`parse_mapping` does, of a text that many configurations extend: parsed once in a process.

    Known by its text and the variables that it may name, so that a change of either is seen at once.
    """
    variables: tuple[tuple[str, str], ...] = ()
    if "${" in text:
        variables = tuple(sorted(item for item in os.environ.items() if item[0].startswith(VARIABLE_PREFIX)))
    return dict(_parsed_before(text, path, variables))


@lru_cache(maxsize=16)
def _parsed_before(text: str, path: Path, variables: tuple[tuple[str, str], ...]) -> dict[Any, Any]:
    return parse_mapping(text, path)


def parse_mapping(text: str, path: Path) -> dict[Any, Any]:
    """Return the keys and values of a YAML file.

    :param path: the file's name, for messages.
    :raises ConfigurationError: naming the file, and where it can be said the line.
    """
    try:
        values = _loaded(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigurationError(f"{path}{where}: this is not valid YAML: {error.problem}.") from None
    except yaml.YAMLError:
        raise ConfigurationError(
            f"{path}: this is not valid YAML: it holds characters that may not be there."
        ) from None
    except RecursionError:
        raise ConfigurationError(f"{path}: this is no configuration: it is nested too deeply.") from None
    except ValueError:  # a date, a number or an offset that Python has not
        raise ConfigurationError(
            f"{path}: this is not valid YAML: it holds a date or a number that does not exist. Correct it, or write it"
            " in quotes."
        ) from None
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}: expected keys and values such as 'name: acme' and found none.")
    return values


def _loaded(text: str) -> Any:
    """Return the values of a text: by libyaml, much faster, where it is there, reads the same, and finds no fault.

    It knows no variables of ours, its stack has no bounds, and the faults are those that PyYAML's own reader names.
    """
    plain = not _READ_OTHERWISE.search(text) and "${" not in text
    if _LIBYAML is not None and plain and len(text) < _LONGEST and sum(map(text.count, "[{-")) < _MOST_OPENED:
        with suppress(yaml.YAMLError, ValueError, RecursionError):
            return yaml.load(text, _LIBYAML)  # noqa: S506  (a SafeLoader)
    return yaml.load(text, _Loader)  # noqa: S506  (likewise)


class _Loader(yaml.SafeLoader):
    """YAML lets a second key of one name win silently; here it is an error.

    It also reads ``00417`` as octal, ``1_000`` and ``1:30`` as numbers: here they are the texts that were written, so
    that an employee's id stays what it is, and a number is only what everybody reads as one.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  (declared so by its base class)
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_INTEGER, _NUMBER)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)
        if "${" in node.value:
            node.value = _with_variables(node)
            if node.style is None and node.tag == _TEXT:  # without quotes: what is written there, as if it were here
                node.tag = self.resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        _check_keys(node)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(_INTEGER, re.compile(r"^-?(0|[1-9][0-9]*)$"), list("-0123456789"))
_Loader.add_implicit_resolver(_NUMBER, re.compile(r"^-?[0-9]+\.[0-9]+$"), list("-0123456789"))


class _LibyamlLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same by libyaml, for texts without variables."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        _check_keys(node)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


_LIBYAML = _LibyamlLoader if yaml.__with_libyaml__ else None


def _check_keys(node: yaml.MappingNode) -> None:
    """Check that each key is there once.

    :raises yaml.MarkedYAMLError: naming the second one and its place.
    """
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
        if key is not None and key != "<<" and key in seen:
            raise yaml.MarkedYAMLError(problem=f"the key '{key}' appears twice", problem_mark=key_node.start_mark)
        seen.add(key)


def _with_variables(node: yaml.ScalarNode) -> str:
    def value_of(found: re.Match[str]) -> str:
        if found["escaped"]:
            return found[0][1:]
        name, default = found["name"], found["default"]
        if not name.startswith(VARIABLE_PREFIX):
            problem = f"${{{name[:60]}}} cannot be named, only variables that begin with {VARIABLE_PREFIX}"
        elif (value := os.environ.get(name, None if default is None else default[2:])) is None:
            problem = f"the environment has no {name[:100]}; set it where Airflow's processes get theirs"
        else:
            return value
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)

    return _VARIABLE.sub(value_of, node.value)
