"""Names for an e-mail: every real one passes, and nothing that an e-mail program makes a link or a disguise of."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from m3ter_provider.models import InvitationRequest
from m3ter_provider.person_names import why_not_a_name

REAL = (
    *("Ann", "Æ", "José María", "O'Brien-Šmíd", "d’Artagnan", "O`Brien", "Łukasz", "İbrahim", "Nguyễn", "Müller", "ß"),
    *("J.R.", "Jr.", "J.R.R. Tolkien", "J. R. Smith, Jr.", "St.John", "Mary.Ann", "Ph.D.", "M.Ed.", "Juan.de la Cruz"),
    *(
        "Kapil.Dev",
        "Rob.Page",
        "Wei.Li",
        "Mary.St John",
        "Ana.de Souza",
        "B.Sc.",
        "A.J.",
        "M.de Vries",
        "Me.",
        "A/B",
        "Vijay S/O Kumar",
        "c/o Lee",
        "Ann & Bob",
        "Ann (Anya)",
        'William "Bill"',
        "No.5",
    ),
    *("-", "X Æ A-12", "a" * 100, "é" * 100, "ʻOkina", "ǃXóõ", "l·lull", "N.\u00a0N.", "👩🏽", "Tom ❤\ufe0f"),
    *("山田", "葛\U000e0100", "김민준", "สมชาย", "محمد", "נָעֳמִי", "ဇော်", "တင်မောင်ဝင်း", "བསྟན་འཛིན", "ẹ̀kọ́", "சுந்தர்"),
    *("نگار\u200cین", "क्\u200dष", "ශ්\u200dරී", "عبد\u200cالله", "ক্\u200cষ"),
)
WEB = (
    *("Verify at https://evil.example", "https://evil.example", "//evil.example", "www.evil.example", "www2.evil"),
    *("evil.example/login", "evil.example:8080/x", "evil.com", "your-bank.com now", "1.2.3.4", "javascript:alert(1)"),
    *(
        "https : //x",
        "mailto:x",
        "xn--evil.example",
        "evil。com",
        "ｅｖｉｌ．ｃｏｍ",
        "https：／／x",
        "https:⁄⁄x",
        "evil․com",
        "bit.ly",
        "see evil.io",
        "x.co",
        "t.me",
        "evil.de",
        "evil.de.",
        "bank-login.top now",
        "youtu.be",
        "evil.co.uk",
    ),
)
MARKUP = ("<b>", "Ann<br>", "a > b", "＜b＞", "﹤b﹥", "&lt;b", "&#60;b", "{{ x }}", "[Click](x)", "a\\b")
DISGUISED = (
    *("a\u202eb", "a\u2066b\u2069", "a\u200bb", "a\u200fb", "a\ufeffb", "a\u2060b", "A\u00adB", "a\u034fb"),
    *("a\u200db", "a\u200cb", "\u200d", "\u200c\u200d", "ب\u200da", "a\ufe0f", "\u3164", "\u115f", "\u2800"),
    *("a\U000e0041", "a\x00", "a\nb", "a\x1b[0m", "a\u2028b", "a\ud800", "a\ue000", "a\ufffe"),
)
LONE_MARKS = ("\u0301", "\u0301a", " \u0301", "a.\u0301", "Z" + "\u0300\u0301\u0302\u0303" * 3)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_real_names_pass(name: str, form: str) -> None:
    assert why_not_a_name(unicodedata.normalize(form, name)) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((name, "web address") for name in WEB),
        *((name, "markup (U+") for name in MARKUP),
        *((name, "character (U+") for name in DISGUISED),
        *((name, "mark") for name in LONE_MARKS),
        *((name, "e-mail address") for name in ("ann@evil.example", "x＠y")),
        *((name, "nothing that can be seen") for name in ("", " ", "\u2003")),
    ],
)
def test_what_is_no_name_is_said_without_quoting_it(name: str, reason: str) -> None:
    why = why_not_a_name(name)
    assert why is not None
    assert reason in why or why.startswith("holds nothing that can be seen")
    assert not name.strip() or "evil" not in why


@pytest.mark.parametrize("field", ["first_name", "last_name"])
@pytest.mark.parametrize("name", ["Verify at https://evil.example", "<b>", "a\u202eb"])
def test_no_caller_can_post_what_is_no_name(field: str, name: str) -> None:
    person = {"email": "ann@example.com", "first_name": "Ann", "last_name": "Example"}
    with pytest.raises(ValidationError) as error:
        InvitationRequest.model_validate({**person, field: name})
    assert "evil" not in str(error.value)


@given(st.text(st.characters(categories=["Lu", "Ll", "Lo"], exclude_characters="\u115f\u1160\u3164\uffa0"), min_size=1))
def test_letters_alone_are_a_name(name: str) -> None:
    assert why_not_a_name(name) is None


@given(st.text(st.characters(codec=None)))
def test_every_text_is_answered(name: str) -> None:
    why = why_not_a_name(name)
    assert why is None or why.startswith("holds ")
