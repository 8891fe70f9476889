"""Tables that are made from the models and forms of the product."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from m3ter_onboarding.config.access_section import AccessReview
from m3ter_onboarding.config.alerts_section import Alerts, Notifier
from m3ter_onboarding.config.approval_section import ApprovalSettings
from m3ter_onboarding.config.dag_section import DagSettings, TaskDefaults
from m3ter_onboarding.config.day_one_section import ChaseSettings, DayOneSettings
from m3ter_onboarding.config.exclude_section import Exclusions
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.schedule import AssetSchedule
from m3ter_onboarding.config.status_section import StatusSettings
from m3ter_onboarding.ledger.states import WHYS
from m3ter_onboarding.reporting import spans as spans_of_dags
from m3ter_onboarding.reporting.metrics import OF_THE_DAGS
from m3ter_provider import spans
from m3ter_provider.get_provider_info import get_provider_info
from m3ter_provider.metrics import OF_THE_PROVIDER, Metric
from m3ter_provider.spans import SpanName
from reference import warehouses

_SECTIONS: Mapping[type[BaseModel], str] = {
    Exclusions: "[section](#exclude)",
    ApprovalSettings: "[section](#approval)",
    Alerts: "[section](#alerts)",
    StatusSettings: "[section](#status)",
    AccessReview: "[section](#access_review)",
    DayOneSettings: "[section](#day_one)",
    ChaseSettings: "[section](#chase)",
    DagSettings: "[section](#dag)",
    TaskDefaults: "[section](#dagdefault_args)",
    AssetSchedule: "[assets](#schedule)",
}
_MADE_DEFAULTS = {
    "ledger_conn_id": "the value of `warehouse_conn_id`",
    "allowed_permission_policies": "the value of `permission_policies`",
}
# Patterns in words; another one is shown as it is.
_PATTERNS = {
    r"^[A-Za-z0-9_-]+$": "letters, digits, `_`, `-`",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "letters, digits, `_`",
    r"^[\w#!()\-.:/\\]+$": "a connection's id",
}
_IN_YAML = {"None": "null", "True": "true", "False": "false"}
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}


def table(name: str) -> str:
    """Return a table by name.

    :raises LookupError: when there is none, or the source does not say what a row means.
    """
    if name not in _TABLES:
        raise LookupError(f"there is no table {name!r}, only {', '.join(_TABLES)}")
    return _TABLES[name]()


def described_parameters(described: type[Any]) -> dict[str, str]:
    """Read the ``:param:`` lines of a class's docstring.

    :param described: the class.
    """
    text = inspect.getdoc(described) or ""
    found = re.findall(r"^:param (\w+): (.*?)(?=^:|^\S|\Z)", text, re.DOTALL | re.MULTILINE)
    return {name: _markdown(_names(" ".join(meaning.split()))) for name, meaning in found}


def _model(model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    meanings = described_parameters(model)
    if missing := [name for name in model.model_fields if name not in meanings]:
        raise LookupError(f"the docstring of {model.__name__} has no :param: for {', '.join(missing)}")
    rows = []
    for name, field in model.model_fields.items():
        shape = schema["properties"][name]
        kind = _SECTIONS.get(field.annotation, "") if isinstance(field.annotation, type) else ""
        meaning = _sentence(_in_yaml(meanings[name]))
        rows.append((f"`{name}`", kind or _kind(shape), _default(name, field), meaning))
    return _rows(("key", "value", "default", "meaning"), rows)


def _kind(shape: Mapping[str, Any]) -> str:
    if "$ref" in shape:
        return next(words for section, words in _SECTIONS.items() if shape["$ref"].endswith(f"/{section.__name__}"))
    if alternatives := shape.get("anyOf") or shape.get("oneOf"):
        kinds = " or ".join(map(_kind, alternatives))
        return " ".join(["number" if kinds == "whole number or number" else kinds, *_bounds(shape)])
    if "const" in shape:
        return f"`{shape['const']}`"
    if "enum" in shape:
        return " or ".join(f"`{one}`" for one in shape["enum"])
    if shape.get("format") == "duration":
        return "length of time"
    if shape.get("format") == "date":
        return "date"
    kind = shape.get("type", "")
    if kind == "null":
        return "`null`"
    if kind == "array" and "$ref" in shape["items"]:
        return "list of [notifiers](#alerts)"
    if kind == "array":
        return f"list of {_TYPES[shape['items']['type']]}s"
    if kind == "object":
        return "map"
    if "pattern" in shape:
        words = _PATTERNS.get(shape["pattern"], f"text like `{shape['pattern']}`")
        return words + (f", up to {shape['maxLength']} characters" if "maxLength" in shape else "")
    return " ".join([_TYPES[kind], *_bounds(shape)])


def _bounds(shape: Mapping[str, Any]) -> Iterable[str]:
    # Pydantic uses its own words where the type is not clear.
    low, high = shape.get("minimum", shape.get("ge")), shape.get("maximum", shape.get("le"))
    if low is not None and high is not None:
        yield f"{low} to {high}"
    elif low is not None:
        yield f"from {low}"
    if "maxLength" in shape:
        yield f"up to {shape['maxLength']} characters"


def _default(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if name in _MADE_DEFAULTS:
        return _MADE_DEFAULTS[name]
    if field.default is PydanticUndefined:
        raise LookupError(f"the default of {name} is computed; say so in {__name__}")
    return _value(field.default)


def _value(value: Any) -> str:
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, timedelta):
        return f"`{_duration(value)}`"
    if isinstance(value, (tuple, list)):
        return f"`[{', '.join(map(str, value))}]`"
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, dict):
        return "`{}`"
    return f"`{value.isoformat() if isinstance(value, date) else value}`"


def _duration(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, size, least in (("d", 86400, 2), ("h", 3600, 1), ("m", 60, 1)):
        if seconds % size == 0 and seconds >= least * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _arguments(described: type[Any]) -> str:
    """Describe what a class takes beyond what every task takes."""
    meanings = described_parameters(described)
    rows = []
    for name, argument in inspect.signature(described.__init__).parameters.items():
        if name in ("self", "kwargs", "sleep"):
            continue
        if name not in meanings:
            raise LookupError(f"the docstring of {described.__name__} has no :param: for {name}")
        default = "**required**" if argument.default is inspect.Parameter.empty else f"`{argument.default!r}`"
        rows.append((f"`{name}`", default, _sentence(meanings[name])))
    return _rows(("argument", "default", "meaning"), rows)


def _operator() -> str:
    from m3ter_provider.operators.invitation import M3terCreateInvitationOperator

    return _arguments(M3terCreateInvitationOperator)


def _sensor() -> str:
    from m3ter_provider.sensors.invitation import M3terInvitationAcceptedSensor

    return _arguments(M3terInvitationAcceptedSensor)


def _run_parameters() -> str:
    from m3ter_onboarding.config.trigger_form import run_parameters

    rows = []
    for name, param in run_parameters().items():
        schema = param.schema
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        shapes = [{**schema, "type": kind, "enum": None} for kind in kinds if kind != "null"]
        kind = " or ".join(f"`{choice}`" for choice in schema["enum"]) if "enum" in schema else ""
        if schema.get("format") == "date-time":
            kind = "date, time and zone"
        kind = kind or " or ".join(_kind({k: v for k, v in shape.items() if v is not None}) for shape in shapes)
        meaning = _markdown(f"{schema['title']}. {schema.get('description_md') or param.description or ''}".strip())
        rows.append((f"`{name}`", kind, _value(param.value) if param.value is not None else "empty", meaning))
    return _rows(("parameter", "value", "default", "in the trigger dialogue"), rows)


def _connection() -> str:
    (connection,) = get_provider_info()["connection-types"]
    rows = []
    for name, field in connection["conn-fields"].items():
        schema = field["schema"]
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        shape = {**schema, "type": next(kind for kind in kinds if kind != "null")}
        default = _value(schema["default"]) if "default" in schema else "" if "null" in kinds else "**required**"
        rows.append((f"`{name}`", field["label"], _kind(shape), default, field.get("description", "")))
    return _rows(("extra", "in the form", "value", "default", "meaning"), rows)


def _metrics(described: Iterable[Metric]) -> str:
    return _rows(
        ("name", "kind", "tags", "what"),
        ((f"`{one.name}`", one.kind, ", ".join(f"`{tag}`" for tag in one.tags), one.what) for one in described),
    )


def _spans(described: Iterable[SpanName]) -> str:
    return _rows(
        ("name", "attributes", "what"),
        ((f"`{one.name}`", ", ".join(f"`{name}`" for name in one.attributes), one.what) for one in described),
    )


def _rows(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines.append(["---"] * len(lines[0]))
    lines += [list(row) for row in rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _markdown(text: str) -> str:
    """Turn the docstrings' double backquotes into Markdown's single ones."""
    return text.replace("``", "`")


def _in_yaml(text: str) -> str:
    """Turn Python's None, True and False into what YAML writes."""
    return re.sub(r"(?<![\w`])(None|True|False)(?=[:.])", lambda word: f"`{_IN_YAML[word[1]]}`", text)


def _names(text: str) -> str:
    """Turn references such as ``:class:`~a.b.C``` into the name that is referred to."""
    text = re.sub(r":\w+:`~[\w.]*?(\w+)`", r"`\1`", text)
    return re.sub(r":\w+:`([\w.]+)`", r"`\1`", text)


def _sentence(text: str) -> str:
    return text if text.startswith("m3ter") else text[:1].upper() + text[1:]


def _events() -> str:
    return _rows(("event", "meaning"), [(f"`{why}`", meaning) for why, meaning in WHYS.items()])


_TABLES: Mapping[str, Callable[[], str]] = {
    "OnboardingConfig": lambda: _model(OnboardingConfig),
    "Exclusions": lambda: _model(Exclusions),
    "ApprovalSettings": lambda: _model(ApprovalSettings),
    "Alerts": lambda: _model(Alerts),
    "Notifier": lambda: _model(Notifier),
    "StatusSettings": lambda: _model(StatusSettings),
    "AccessReview": lambda: _model(AccessReview),
    "DayOneSettings": lambda: _model(DayOneSettings),
    "ChaseSettings": lambda: _model(ChaseSettings),
    "DagSettings": lambda: _model(DagSettings),
    "TaskDefaults": lambda: _model(TaskDefaults),
    "AssetSchedule": lambda: _model(AssetSchedule),
    "metrics of the DAGs": lambda: _metrics(OF_THE_DAGS),
    "metrics of the provider": lambda: _metrics(OF_THE_PROVIDER),
    "spans": lambda: _spans((*spans_of_dags.OF_THE_DAGS, *spans.OF_THE_PROVIDER)),
    "run parameters": _run_parameters,
    "connection": _connection,
    "warehouses": lambda: _rows(warehouses.COLUMNS, warehouses.warehouses()),
    "events": _events,
    "M3terCreateInvitationOperator": _operator,
    "M3terInvitationAcceptedSensor": _sensor,
}
