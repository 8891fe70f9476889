"""The YAML file of one organisation and the queries beside it, read before Airflow sees a DAG.

Loading opens these files and nothing else: no network, no database.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.errors import ConfigurationError
from m3ter_provider.answer_values import whole_text


def load_config(path: str | Path) -> OnboardingConfig:
    """Load one organisation's YAML file and its queries.

    :param path: the YAML file; paths of queries in it are relative to its folder.
    :raises ConfigurationError: naming the file, the key and its value, and the way to write it.
    """
    path = Path(path)
    text = _read(path, f"The configuration {path}")
    try:
        values = yaml.load(text, _UniqueKeyLoader)  # noqa: S506  (a SafeLoader)
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
    exclude, review = values.get("exclude"), values.get("access_review")
    return OnboardingConfig.from_mapping(
        values,
        query_text=_query(path, "query", values.get("query")),
        exclusions_text=_query(path, "exclude.query", exclude.get("query") if isinstance(exclude, dict) else None),
        job_query_text=_query(path, "access_review.query", review.get("query") if isinstance(review, dict) else None),
        path=path,
    )


def _query(path: Path, key: str, value: Any) -> str:
    """Return the SQL of the file that a key names; empty where it names none."""
    if not isinstance(value, str) or not value.strip():
        return ""
    query_path = path.parent / value.strip()
    return _read(query_path, f"{path}, key '{key}': the SQL file {query_path}")


_INTEGER, _NUMBER = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML lets a second key of one name win silently; here it is an error.

    It also reads ``00417`` as octal, ``1_000`` and ``1:30`` as numbers: here they are the texts that were written, so
    that an employee's id stays what it is, and a number is only what everybody reads as one.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  (declared so by its base class)
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_INTEGER, _NUMBER)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key != "<<" and key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key '{key}' appears twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_UniqueKeyLoader.add_implicit_resolver(_INTEGER, re.compile(r"^-?(0|[1-9][0-9]*)$"), list("-0123456789"))
_UniqueKeyLoader.add_implicit_resolver(_NUMBER, re.compile(r"^-?[0-9]+\.[0-9]+$"), list("-0123456789"))


def _read(path: Path, subject: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(f"{subject} does not exist; write the path relative to the YAML file.") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{subject} is not UTF-8 text; save it as UTF-8.") from None
    except OSError as error:
        raise ConfigurationError(f"{subject} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise ConfigurationError(f"{whole_text(subject)} cannot be read: no file has such a name.") from None
