"""One identity for one address, and how an address is shown where people may read it."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import idna

from m3ter_provider.pasted_text import trim

_PART = r"[^\s@<>()\[\]{},;:\"'`=]"
# From the beginning of a word alone: looked for from each of its characters, a long one would take minutes.
_ADDRESS = re.compile(f"(?<!{_PART}){_PART}+@{_PART}+")

# None of the characters that separate, quote or hide: two addresses in one text, a display name, another header.
_ONE_ADDRESS = re.compile(r"[^\s@,;:<>\"()\[\]\\\x00-\x1f\x7f\u200b-\u200f\u2028-\u202f\u2060-\u2069\ufeff]+")


def is_one_address(text: str) -> bool:
    """Return whether text is one address and nothing else, so that its domain is where the e-mail goes.

    It need not exist: that is for m3ter to find out.
    """
    local, at, domain = text.partition("@")
    return bool(at and _ONE_ADDRESS.fullmatch(local) and _ONE_ADDRESS.fullmatch(domain))


def email_key(address: str) -> str:
    """Return the key under which an address is the same person: trimmed, NFC, case-folded, domain in its ASCII form.

    ``+tag`` and dots are left alone. Text that is no address at all gets a key too, so that it can be compared.

    Case-folding also makes one of addresses that some mail servers, and m3ter, may keep apart: ``ß`` and ``ss``, ``ﬁ``
    and ``fi``, ``ſ`` and ``s``. So that nobody is e-mailed twice they have one key; :func:`same_spelling` distinguishes
    them.

    :param address: an address as it was written.
    """
    if address.isascii():  # almost every address: NFC already, and with one lower case
        local, at, domain = address.strip().rpartition("@")
        return f"{local.lower()}@{_ascii_domain(domain)}" if at else domain.lower()
    local, at, domain = _trimmed(address).rpartition("@")
    if not at:
        return _folded(domain)
    return f"{_folded(local)}@{_ascii_domain(domain)}"


def same_spelling(one: str, other: str) -> bool:
    """Return whether two addresses differ in nothing but the case of letters and the form of their Unicode.

    Two of one key that do not are perhaps two people: m3ter does not document how it compares addresses.
    """
    if one == other or (one.isascii() and other.isascii() and one.lower() == other.lower()):
        return True
    return _spelling(one) == _spelling(other)


def _spelling(address: str) -> str:
    local, at, domain = _trimmed(address).rpartition("@")
    text = local if at else domain
    plain = text.lower() if text.isascii() else unicodedata.normalize("NFC", "".join(map(_lower, text)))
    return f"{plain}@{_ascii_domain(domain)}" if at else plain


def _lower(character: str) -> str:
    """Return the lower case of a character where that is one character, and no other letter of ASCII."""
    for lower in (character.casefold(), character.lower()):
        if len(lower) == 1 and (character.isascii() or not lower.isascii()):
            return lower
    return character


def alias_key(key: str) -> str:
    """Return an address key without what mail servers may ignore: a ``+tag``, and dots before the @-sign.

    Without what only looks different, too: wide letters, and the dots of the Turkish i. Two addresses with the same one
    *may* be one mailbox; only people can tell, so they are never taken for the same.

    :param key: of :func:`email_key`.
    """
    local, at, domain = key.rpartition("@")
    if not local.isascii():
        local = unicodedata.normalize("NFKC", local).casefold().replace("i\u0307", "i").replace("ı", "i")
    return f"{local.split('+')[0].replace('.', '')}{at}{domain}"


def email_domain(address: str) -> str:
    """Return the ASCII form of an address's domain, empty if it has none."""
    _, at, domain = _trimmed(address).rpartition("@")
    return _ascii_domain(domain) if at else ""


def ascii_domain(domain: str) -> str:
    """Return a domain in the form in which :func:`email_domain` returns it, for comparisons."""
    return _ascii_domain(_trimmed(domain))


def mask_email(address: str) -> str:
    """Return an address as logs may show it: ``a***@example.com``, and ``***`` if it is none."""
    local, at, domain = _trimmed(address).rpartition("@")
    return f"{local[:1]}***@{domain}" if at and local and domain else "***"


def mask_addresses(text: str) -> str:
    """Mask everything that looks like an e-mail address: ``a***@example.com``.

    :param text: any text.
    """
    return _ADDRESS.sub(lambda match: mask_email(match.group()), text)


def _trimmed(text: str) -> str:
    return trim(unicodedata.normalize("NFC", text))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


@lru_cache(maxsize=4096)  # a company has few domains and many addresses
def _ascii_domain(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return _folded(domain)
