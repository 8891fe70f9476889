"""One identity for one address."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3ter_provider.email_identity import alias_key, email_domain, email_key, mask_addresses, mask_email, same_spelling


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@X.com ", "ann@x.com"),
        ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
        ("Ann@bücher.example", "ann@xn--bcher-kva.example"),
        (unicodedata.normalize("NFD", "josé@example.com"), "josé@example.com"),
        ("\u00a0ann@x.com\u200b", "ann@x.com"),
        ("ΣΊΣΥΦΟΣ@example.gr", "σίσυφοσ@example.gr"),
        ("ann@例え。jp", "ann@xn--r8jz45g.jp"),
    ],
)
def test_spellings_of_one_address_have_one_key(one: str, other: str) -> None:
    assert email_key(one) == email_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("ann+tag@x.com", "ann@x.com"), ("a.nn@x.com", "ann@x.com"), ("ann@x.com", "ann@y.com")]
)
def test_addresses_of_two_people_have_two_keys(one: str, other: str) -> None:
    assert email_key(one) != email_key(other)


PERHAPS_TWO = (
    *(("strauß@x.com", "strauss@x.com"), ("STRAUẞ@x.com", "strauss@x.com"), ("ﬁona@x.com", "fiona@x.com")),
    *(("ſam@x.com", "sam@x.com"), ("ŉo@x.com", "ʼno@x.com")),
)


@pytest.mark.parametrize(("one", "other"), PERHAPS_TWO)
def test_two_people_of_one_key_are_told_apart_by_their_spelling(one: str, other: str) -> None:
    assert email_key(one) == email_key(other), "nobody is e-mailed twice"
    assert not same_spelling(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("Ann@X.com ", "ann@x.com"), ("STRAUẞ@x.com", "strauß@x.com"), ("JOSÉ@x.com", "jose\u0301@x.com")),
        *(("ΣΊΣΥΦΟΣ@example.gr", "σίσυφος@example.gr"), ("ann@BÜCHER.example", "ann@xn--bcher-kva.example")),
        *(("\u212aim@x.com", "kim@x.com"), ("İbo@x.com", "I\u0307bo@x.com")),
    ],
)
def test_case_and_form_are_no_other_spelling(one: str, other: str) -> None:
    assert email_key(one) == email_key(other)
    assert same_spelling(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann@strauß.example", "ann@strauss.example"),
        ("ａnn@x.com", "ann@x.com"),
        ("İbo@x.com", "ibo@x.com"),
        ("ısık@x.com", "isik@x.com"),
    ],
)
def test_what_only_looks_alike_is_another_person(one: str, other: str) -> None:
    assert email_key(one) != email_key(other)
    assert not same_spelling(one, other)
    same_domain = one.rpartition("@")[2] == other.rpartition("@")[2]
    assert (alias_key(email_key(one)) == alias_key(email_key(other))) == same_domain, "people are pointed to it"


@given(st.one_of(st.emails(), st.text(max_size=30)), st.one_of(st.emails(), st.text(max_size=30)))
def test_one_spelling_is_one_key(one: str, other: str) -> None:
    if same_spelling(one, other):
        assert email_key(one) == email_key(other)


@given(st.one_of(st.emails(), st.text(max_size=30)))
def test_the_form_of_its_unicode_is_no_other_spelling(address: str) -> None:
    assert same_spelling(address, address)
    assert same_spelling(unicodedata.normalize("NFD", address), address)


@given(st.one_of(st.emails(), st.text(max_size=30)))
def test_a_key_is_its_own_key(address: str) -> None:
    assert email_key(email_key(address)) == email_key(address)


@pytest.mark.parametrize(
    ("address", "shown"),
    [("ann@example.com", "a***@example.com"), ("@example.com", "***"), ("ann", "***"), ("", "***"), ("ann@", "***")],
)
def test_an_address_is_masked(address: str, shown: str) -> None:
    assert mask_email(address) == shown


def test_the_domain_of_an_address_is_ascii() -> None:
    assert email_domain(" Ann@BÜCHER.example") == "xn--bcher-kva.example"
    assert email_domain("ann") == ""


def test_masking_takes_no_longer_than_reading() -> None:
    assert mask_addresses("x" * 1_000_000 + " Ann ann@example.com,bo@example.com") == (
        "x" * 1_000_000 + " Ann a***@example.com,b***@example.com"
    )


@given(
    st.from_regex(r"[ -~\t\x1c]{0,12}@?[ -~]{0,12}", fullmatch=True),
    st.from_regex(r"[ -~\t\x1c]{0,12}@?[ -~]{0,12}", fullmatch=True),
)
def test_plain_text_has_the_key_and_the_spelling_that_any_text_has(one: str, other: str) -> None:
    # A mark that nobody sees takes the way of every other script, and is trimmed away there.
    assert email_key(one) == email_key(f"\u200b{one}\u200b")
    assert same_spelling(one, other) == same_spelling(f"\u200b{one}", f"\u200b{other}")
    assert same_spelling(one, one.swapcase()) == same_spelling(f"\u200b{one}", f"\u200b{one.swapcase()}")
