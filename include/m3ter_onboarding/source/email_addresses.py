"""E-mail addresses as they will be sent, judged by ``email-validator``.

The library reads every address character by character, and its domain by the tables of IDNA. People of one company
share their domain, so it judges each domain once; plain ASCII in front of it needs no more than its grammar.
"""

from __future__ import annotations

import re
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES

#: In bytes (RFC 5321).
LONGEST_LOCAL_PART = 64
_LONGEST_ADDRESS = 254

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
#: RFC 5322's dot-atom, and a domain of which nothing has to be written in another form.
_PLAIN = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@([A-Za-z0-9.-]+)")


def sendable_address(given: str) -> str:
    """Return an address as it will be sent: NFC, its domain in the ASCII form, in lower case.

    Mail programs and m3ter understand the ASCII form everywhere, the Unicode form not.

    :param given: without spaces around it.
    :raises ValueError: when it is none; the text says why, and quotes at most single characters.
    """
    plain = _PLAIN.fullmatch(given)
    if plain and len(given) <= _LONGEST_ADDRESS and len(plain[1]) <= LONGEST_LOCAL_PART:
        domain = _judged_domain(plain[2])
        if domain is not None and plain[1].lower() not in CASE_INSENSITIVE_MAILBOX_NAMES:
            return f"{plain[1]}@{domain}"
    return judged_address(given)


def judged_address(given: str) -> str:
    """Return what :func:`sendable_address` returns, by the library alone."""
    try:
        checked = validate_email(given, check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError(f"The e-mail address is not valid. {_flaw(error)}") from None
    if not checked.ascii_domain or len(checked.local_part.encode()) > LONGEST_LOCAL_PART:
        raise ValueError("The e-mail address is not valid. The part before the @-sign is too long.")
    return f"{checked.local_part}@{checked.ascii_domain.lower()}"


@lru_cache(maxsize=4096)
def _judged_domain(domain: str) -> str | None:
    """Return a domain as it will be sent; None: the library has something to say about it."""
    try:
        checked = validate_email(f"a@{domain}", check_deliverability=False)
    except EmailNotValidError:
        return None
    return checked.ascii_domain.lower() if checked.ascii_domain else None


def _flaw(error: EmailNotValidError) -> str:
    """Keep the library's sentence, unless it quotes: it names single characters, at most a part of the address."""
    said = str(error)
    return said if "'" not in said and '"' not in said and len(said) <= 200 else "Its form is wrong."
