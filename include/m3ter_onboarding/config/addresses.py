"""Addresses and domains in a configuration: one that no valid row can have would match nobody, silently."""

from __future__ import annotations

import re

from m3ter_provider.email_identity import ascii_domain

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# No star either: it is meant for many people, and would match the one address that has it.
_WORD = re.compile(r"[^@\s*;,<>()\[\]\":\\.]+")


def is_domain(text: str) -> bool:
    """Return whether a text is one domain to which e-mail can go; an @-sign may stand before it."""
    labels = ascii_domain(text.removeprefix("@")).split(".")
    return (
        not re.search(r"\s", text)
        and len(labels) > 1
        and all(map(_LABEL.fullmatch, labels))
        and re.search("[a-z]", labels[-1]) is not None
    )


def is_address(text: str) -> bool:
    """Return whether a text is one e-mail address, and nothing else."""
    local_part, at, domain = text.partition("@")
    return bool(at) and is_domain(domain) and "@" not in domain and all(map(_WORD.fullmatch, local_part.split(".")))
