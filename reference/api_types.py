"""The types of the page's script: what it asks the page's API, and what it is answered, from the routes themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from m3ter_onboarding.page.app import API

FILE = Path(__file__).parent.parent / "include" / "m3ter_onboarding" / "page" / "api_types.d.ts"

_PREFIX = "/api/"
_HEAD = """\
// What the script asks the page's API, and what it is answered.
// Made by `make reference` from the routes and their models; a test compares.

/** An instant of ISO 8601, in UTC. */
export type Instant = string;

/** A day of ISO 8601. */
export type Day = string;
"""
_FORMATS = {"date-time": "Instant", "date": "Day"}
_SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}

Schema = Mapping[str, Any]


def api_types() -> str:
    """Return the declarations: an interface for each model, and which path takes and answers which."""
    declared: dict[str, str] = {}
    gets, posts = [], []
    for route in sorted(_routes(), key=lambda route: route.path):
        path = _path(route.path.removeprefix(_PREFIX))
        answer = _named(route.response_model, "serialization", declared) if route.response_model else "unknown"
        if route.body_field is None:
            gets.append(f"  {path}: {answer};\n")
        else:
            body = _named(route.body_field.field_info.annotation, "validation", declared)
            posts.append(f"  {path}: {{ body: {body}; answer: {answer} }};\n")
    return "\n".join(
        (
            _HEAD,
            *(declared[name] for name in sorted(declared)),
            f"/** Answers of GET, by path. */\nexport interface Gets {{\n{''.join(gets)}}}\n",
            f"/** Bodies and answers of POST, by path. */\nexport interface Posts {{\n{''.join(posts)}}}\n",
        )
    )


def _routes() -> Iterator[APIRoute]:
    for part in API:
        for route in part.router.routes:
            if isinstance(route, APIRoute):
                yield route


def _path(path: str) -> str:
    """Return the key for a path: parameters are any text."""
    if "{" not in path:
        return json.dumps(path)
    return f"[path: `{re.sub(r'{.*?}', '${string}', path)}`]"


def _named(model: Any, mode: Literal["validation", "serialization"], declared: dict[str, str]) -> str:
    """Return the name of a model's type, and add it and all that it consists of to *declared*."""
    schema = TypeAdapter(model).json_schema(mode=mode, ref_template="{model}")
    for name, definition in schema.get("$defs", {}).items():
        declared[name] = _declaration(name, definition, mode)
    if "properties" not in schema:
        return _type(schema)
    name = str(schema["title"])
    declared[name] = _declaration(name, schema, mode)
    return name


def _declaration(name: str, schema: Schema, mode: str) -> str:
    meaning, meanings = _meanings(schema.get("description", ""))
    doc = f"/** {meaning} */\n" if meaning else ""
    if "properties" not in schema:
        return f"{doc}export type {name} = {_type(schema)};\n"
    lines = []
    for field, type_ in schema["properties"].items():
        if field in meanings:
            lines.append(f"  /** {meanings[field]} */\n")
        # An answer has all of its fields; of a body those may be left out that have a default.
        optional = mode == "validation" and field not in schema.get("required", ())
        lines.append(f"  {field}{'?' if optional else ''}: {_type(type_)};\n")
    return f"{doc}export interface {name} {{\n{''.join(lines)}}}\n"


def _meanings(docstring: str) -> tuple[str, dict[str, str]]:
    """Return the first paragraph of a docstring, and what it says of each field."""
    text = re.sub(r"\bNone\b", "null", docstring.replace("``", "`"))
    fields = re.findall(r"^:param (\w+): (.*?)(?=^:|\Z)", text, re.MULTILINE | re.DOTALL)
    return _one_line(text.split("\n\n")[0]), {name: _one_line(meaning) for name, meaning in fields}


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _type(schema: Schema) -> str:
    """Return a schema as a type.

    :raises LookupError: for one that these models do not need yet.
    """
    match schema:
        case {"$ref": name}:
            return str(name)
        case {"anyOf": parts}:
            return " | ".join(map(_type, parts))
        case {"const": value}:
            return json.dumps(value)
        case {"enum": values}:
            return " | ".join(map(json.dumps, values))
        case {"format": format_} if format_ in _FORMATS:
            return _FORMATS[format_]
        case {"type": "array", "items": items}:
            inner = _type(items)
            return f"({inner})[]" if "|" in inner else f"{inner}[]"
        case {"type": "object", "additionalProperties": Mapping() as values}:
            return f"Record<string, {_type(values)}>"
        case {"type": type_} if type_ in _SIMPLE:
            return _SIMPLE[type_]
    raise LookupError(f"No type of TypeScript is known for {schema}")
