"""What pasting leaves in a text and nobody sees: direction marks, joiners, byte-order marks, spaces of every width."""

from __future__ import annotations

import unicodedata


def trim(text: str) -> str:
    """Take spaces and marks that cannot be seen from both ends; inside of the text they stay."""
    if text.isascii():
        return text.strip()
    begin, end = 0, len(text)
    while begin < end and _is_blank(text[begin]):
        begin += 1
    while begin < end and _is_blank(text[end - 1]):
        end -= 1
    return text[begin:end]


def without_marks(text: str) -> str:
    """Take every mark that cannot be seen out of a text, for values that mean the same without them."""
    return text if text.isascii() else "".join(filter(lambda character: not _is_mark(character), text))


def _is_blank(character: str) -> bool:
    return character.isspace() or _is_mark(character)


def _is_mark(character: str) -> bool:
    return character >= "\x7f" and unicodedata.category(character) == "Cf"
