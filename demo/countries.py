"""Offices of an invented company, and names that are common where they are. Nobody in here is a real person."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Country:
    """One office.

    :param code: ISO 3166 code; also the subdomain of the office's addresses
    :param time_zone: IANA name
    :param dialling: international dialling code
    :param first_names: in the country's own spelling
    :param last_names: in the country's own spelling
    """

    code: str
    time_zone: str
    dialling: str
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


@cache
def countries() -> tuple[Country, ...]:
    """Read the offices."""
    with Path(__file__).with_suffix(".tsv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Country(
                code=line["code"],
                time_zone=line["time_zone"],
                dialling=line["dialling"],
                first_names=tuple(line["first_names"].split()),
                last_names=tuple(line["last_names"].split()),
            )
            for line in csv.DictReader(file, delimiter="\t")
        )
