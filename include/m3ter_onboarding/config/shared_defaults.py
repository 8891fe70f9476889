"""Files that a configuration extends: their keys hold where it has none of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m3ter_onboarding.config.yaml_text import parse_mapping, parse_shared_mapping
from m3ter_onboarding.errors import ConfigurationError
from m3ter_provider.answer_values import whole_text

_EXTENDS = "extends"
#: Two configurations with one of these would be one organisation twice, or one's people in the other.
_OWN_KEYS = ("name", "organisation")
#: The keys whose value is a path, each in its section.
_PATHS = (("query",), ("exclude", "query"), ("access_review", "query"))


@dataclass(frozen=True)
class ReadValues:
    """The keys and values of a configuration, its defaults included.

    :param values: paths in them are relative to the configuration's own folder.
    :param files: where each key stands that is not in the configuration itself.
    """

    values: Mapping[str, Any]
    files: Mapping[str, Path]


def read_values(path: Path) -> ReadValues:
    """Read a configuration, and what it extends.

    A section is taken key by key, anything else whole; of several files the later one holds.

    :raises ConfigurationError: naming the file that is missing, wrong, or extends itself.
    """
    return _read(path, (), f"The configuration {path}")


def read_text(path: Path, subject: str) -> str:
    """Read a file that a configuration consists of.

    :param subject: what it is, for messages.
    :raises ConfigurationError: when it cannot be read.
    """
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


def _read(path: Path, within: Sequence[Path], subject: str) -> ReadValues:
    if path.resolve() in within:
        raise ConfigurationError(f"{path}: the key '{_EXTENDS}' leads back to this file; remove it in one of them.")
    parse = parse_shared_mapping if within else parse_mapping
    own = parse(read_text(path, subject), path)
    named = own.pop(_EXTENDS, None)
    if within and (key := next((key for key in _OWN_KEYS if key in own), None)):
        raise ConfigurationError(
            f"{path}: the key '{key}' is one organisation's own, and this file is extended by others; write it there."
        )
    values: dict[str, Any] = {}
    files: dict[str, Path] = {}
    for name in _names(path, named):
        shared_path = path.parent / name
        shared = _read(shared_path, (*within, path.resolve()), f"{path}, key '{_EXTENDS}': the file {shared_path}")
        values = _merged(values, _from_folder(shared.values, shared_path.parent, path.parent))
        files |= {key: shared.files.get(key, shared_path) for key in shared.values}
    for key in own:
        files.pop(key, None)
    return ReadValues(_merged(values, own), files)


def _names(path: Path, named: Any) -> list[str]:
    names = named if isinstance(named, list) else [] if named is None else [named]
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise ConfigurationError(f"{path}: the key '{_EXTENDS}' is the path of a YAML file, or a list of them.")
    return [name.strip() for name in names]


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _from_folder(values: Mapping[str, Any], folder: Path, own: Path) -> dict[str, Any]:
    """Return values whose paths are relative to another folder."""
    moved = dict(values)
    for *sections, key in _PATHS:
        section: Any = moved
        for name in sections:
            if isinstance(section.get(name), dict):
                section[name] = dict(section[name])
                section = section[name]
            else:
                section = {}
        if isinstance(section.get(key), str) and section[key].strip():
            section[key] = os.path.relpath(folder / section[key].strip(), own)
    return moved
