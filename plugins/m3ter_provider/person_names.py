"""Names that go into an e-mail of m3ter's: what no person is called, and what an e-mail program would make a link of.

A person who can write one row of a warehouse, or start somebody's DAG, chooses words that m3ter sends from its own
address to somebody who trusts it. So a name holds no web or e-mail address, no markup, and nothing that cannot be seen.

Real names pass: apostrophes, hyphens and dots (``O'Brien``, ``Jr.``, ``J.R.R.``, ``St.John``), every script, combining
marks after a letter. The two joiners are part of the spelling of some scripts (Persian, Hindi, Sinhala and others):
they pass between letters of those, and nowhere else. Variation selectors pass after the ideographs and Mongolian
letters whose form they choose.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_JOINERS = "\u200c\u200d"
#: Blocks of the scripts whose spelling knows joiners: Arabic and Syriac to Thaana and N'Ko, the Indic ones, Tibetan and
#: Myanmar, Khmer and Mongolian, and their extensions.
_JOINING = (
    *((0x0600, 0x08FF), (0x0900, 0x0DFF), (0x0F00, 0x109F), (0x1780, 0x18AF), (0x1B00, 0x1C4F), (0xA8E0, 0xA8FF)),
    *((0xA900, 0xAAFF), (0xABC0, 0xABFF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFE), (0x11000, 0x11FFF)),
)
_IDEOGRAPHS = ((0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
_MONGOLIAN = ((0x1800, 0x18AF),)
#: Characters that show nothing, beside those of the category Cf.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_BETWEEN_LETTERS = str.maketrans("", "", " '-\u2019")
#: More marks in a row than any spelling has; they would cover the lines around.
_MOST_MARKS = 6

_MARKUP = re.compile(r"[<>{}\[\]\\]|&(?:#\w+|\w+);")
_E_MAIL_ADDRESS = re.compile(r"[^\s@]@[^\s@]")
_ENDINGS = (
    "com|net|org|edu|gov|mil|info|biz|app|xyz|online|site|website|shop|club|click|store|tech|cloud|email|zip|"
    "mov|top|link|live|icu|vip|buzz|fun|bond|work|life|today|world|support|services|help|center|company|"
    "agency|digital|network|solutions|systems|finance|money|bank|cash|loan|bid|download|stream|trade|review|"
    "monster|quest|sbs|cfd|cyou|wiki|host|press|space|team|chat|video|media|social|software|security|login|"
    "blog|news|pro|mobi"
)
#: Countries' endings that short links and most sites have, without those that are names (Li, Ng, Jo, Vu).
_COUNTRIES = (
    "ac|ag|ai|am|at|au|be|ca|cc|ch|cl|cn|co|cx|cz|dk|es|eu|fi|fm|fr|ga|gd|gg|gl|gq|gs|hk|hu|id|ie|il|im|in|io|is|it|jp"
    "|kr|ly|me|ms|mx|my|nl|no|nu|nz|pe|pl|pt|pw|ro|ru|rs|sg|sh|si|sk|tk|tl|to|tr|tt|tv|tw|ua|uk|us|vc|vn|ws|za"
)
_PARTICLES = "de|la|al|do|st"
_WEB_ADDRESS = re.compile(
    r"//|\bwww\d*\.\S|\bxn--"
    r"|\b(?:https?|ftp|file|mailto|tel|sms|data|javascript|vbscript)\s*:"
    r"|[^\W_]\.[^\W\d_]{2,}[/?#:]\S"  # a domain with a path or a port
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b"
    # A domain alone, with an ending that e-mail programs make links of and no family is called.
    rf"|[\w-]{{2,}}\.(?:{_ENDINGS})\b"
    rf"|[\w-]{{2,}}\.(?:{_COUNTRIES})\b(?!\.?\w)"
    # A part of a name that is a country's ending, too: "Juan.de la Cruz".
    rf"|[\w-]{{2,}}\.(?:{_PARTICLES})\b(?!\s+[^\W\d_]|\.?\w)"
    # Of one letter there are a few short links; "B.Sc." and "A.Li" are none.
    r"|\b\w\.(?:co|me|ly|io|gg|be)\b(?!\.?\w)"
)
#: What looks like a dot, a slash or a colon, and is taken for one by people and by some programs.
_LOOK_ALIKES = str.maketrans(
    {
        "\u3002": ".",
        "\uff61": ".",
        "\u2024": ".",
        "\u2044": "/",
        "\u2215": "/",
        "\u29f8": "/",
        "\u2236": ":",
        "\ua789": ":",
        "\u02d0": ":",
    }
)


@lru_cache(maxsize=16_384)  # people share names, and each is judged as a row and as a request
def why_not_a_name(text: str) -> str | None:
    """Return why a text is no name for an e-mail; None: it is one.

    The reason is the end of a sentence that begins with the column; it names characters by number and quotes nothing.
    """
    if text.translate(_BETWEEN_LETTERS).isalpha() and _BLANK.isdisjoint(text):
        return None  # letters alone, as almost everybody has
    return _why_not_visible(text) or _why_not_plain(text)


def _why_not_plain(text: str) -> str | None:
    """Look at the text as an e-mail program may read it: wide and small forms are what they stand for."""
    plain = unicodedata.normalize("NFKC", text.translate(_LOOK_ALIKES)).translate(_LOOK_ALIKES).casefold()
    if found := _MARKUP.search(plain):
        return f"holds markup (U+{ord(found.group()[0]):04X})"
    if _E_MAIL_ADDRESS.search(plain):
        return "holds an e-mail address"
    if _WEB_ADDRESS.search(plain):
        return "holds a web address"
    return None


def _why_not_visible(text: str) -> str | None:
    marks = 0
    before = " "
    for position, character in enumerate(text):
        kind = unicodedata.category(character)
        number = f"U+{ord(character):04X}"
        if kind in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}:
            return f"holds a control character ({number})"
        after = text[position + 1 : position + 2]
        if character in _BLANK or (kind == "Cf" and not _joins(before, character, after)):
            return f"holds an invisible character ({number})"
        if _is_selector(character):
            if not _selects(before, character):
                return f"holds an invisible character ({number})"
        elif kind in {"Mn", "Me", "Mc"}:
            marks += 1
            if not _carries_marks(before):
                return f"holds a mark without a letter ({number})"
            if marks > _MOST_MARKS:
                return f"holds more marks on one letter than any spelling has ({number})"
        elif kind != "Cf":
            marks = 0
        before = character
    return None if any(not c.isspace() and c not in _JOINERS for c in text) else "holds nothing that can be seen"


def _in(character: str, blocks: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in blocks)


def _joins(before: str, character: str, after: str) -> bool:
    """Return whether a joiner stands where spelling knows it: after a letter or mark of its script, and before one."""
    return character in _JOINERS and _in(before, _JOINING) and (not after or _in(after, _JOINING))


def _is_selector(character: str) -> bool:
    return (
        "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
        or character in "\u180b\u180c\u180d\u180f"
    )


def _selects(before: str, character: str) -> bool:
    if character in "\u180b\u180c\u180d\u180f":
        return _in(before, _MONGOLIAN)
    return _in(before, _IDEOGRAPHS) or (character == "\ufe0f" and unicodedata.category(before) == "So")


def _carries_marks(before: str) -> bool:
    return (
        unicodedata.category(before)[0] in "LM"
        or before in _JOINERS
        or unicodedata.category(before) in {"So", "Sk", "Nd"}
    )
