"""Problems of a configuration, as sentences that name file, key and value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from m3ter_onboarding.privacy import mask_addresses

#: Keys that there were once, and what is written instead.
_REPLACED = {"if_expired": "reinvite: never, once, or how many times (with cool_off_days)"}
_SECRET_WORDS = re.compile(r"secret|password|passwd|token|key|credential", re.IGNORECASE)


def sentences(path: Path, model: type[BaseModel], error: ValidationError, shared: Mapping[str, Path]) -> str:
    """Write pydantic's findings as sentences: each file, key and value once.

    :param model: of the configuration; its fields name the keys.
    :param shared: the files of keys that do not stand in the configuration itself.
    """
    lines: dict[Path, dict[str, None]] = {}
    for problem in error.errors(include_url=False, include_context=False):
        if problem["type"] != "default_factory_not_called":  # a default that depends on a key that is wrong
            place = problem["loc"]
            file = shared.get(str(place[0]), path) if place else path
            line = _sentence(model, place, problem["type"], problem["msg"], problem["input"])
            lines.setdefault(file, {})[line] = None
    return " ".join(f"{file}: {'; '.join(said)}." for file, said in lines.items())


def _sentence(model: type[BaseModel], place: tuple[int | str, ...], kind: str, message: str, value: Any) -> str:
    key = _dotted(model, place)
    if kind == "missing":
        return f"the key '{key}' is missing"
    if kind == "extra_forbidden" and key in _REPLACED:
        return f"the key '{key}' is no longer there: write {_REPLACED[key]}"
    if kind == "extra_forbidden":
        close = get_close_matches(str(place[-1])[:60], _keys_beside(model, place), n=1)
        return f"the key '{key}' is unknown" + (f" (did you mean '{close[0]}'?)" if close else "")
    reason = _said_of_type(kind, value) or message.removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    return f"the key '{key}' is {_shown(key, value)}: {reason}"


def _said_of_type(kind: str, value: Any) -> str | None:
    """Return how to write a text or a list that YAML reads as something else, without the names of Python's types."""
    if kind == "tuple_type":
        return "write a list such as [one, two], or leave the key out"
    if kind != "string_type":
        return None
    if value is None or isinstance(value, (list, dict)):
        return "write one text there"
    read_as = "yes or no" if isinstance(value, bool) else "a date" if isinstance(value, date) else "a number"
    return f"it is read as {read_as}; write it in quotes"


def _dotted(root: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """Write ``dag.default_args.retries`` or ``exclude.domains[2]``; without pydantic's additions for unions."""
    key, of_union = "", False
    model: type[BaseModel] | None = root
    for part in place:
        if isinstance(part, int):
            key += f"[{part}]"
        elif of_union:
            of_union = False  # the name of the alternative that was tried
        elif model is None or part in model.model_fields or part is place[-1]:
            key += f".{part}" if key else part
            of_union = (
                model is not None and part in model.model_fields and _is_union(model.model_fields[part].annotation)
            )
            model = _section_of(model, part)
    return key


def _is_union(annotation: Any) -> bool:
    """Return whether pydantic tries more than one alternative, None aside."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) not in (Union, UnionType):
        return False
    alternatives = [one for one in get_args(annotation) if one is not NoneType]
    return len(alternatives) > 1 or _is_union(alternatives[0])


def _section_of(model: type[BaseModel] | None, key: str) -> type[BaseModel] | None:
    field = model.model_fields.get(key) if model else None
    annotation = field.annotation if field else None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _keys_beside(root: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] | None = root
    for part in place[:-1]:
        model = _section_of(model, str(part))
    return list(model.model_fields) if model else []


def _shown(key: str, value: Any) -> str:
    """Quote a value, unless it may be a secret or somebody's address."""
    if _SECRET_WORDS.search(key) or key.startswith(("exclude", "alerts")):
        return "not usable"
    text = mask_addresses(repr(value) if not isinstance(value, (date, timedelta)) else str(value))
    return text if len(text) <= 60 else text[:57] + "..."
