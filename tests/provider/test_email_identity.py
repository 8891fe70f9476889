"""One identity for one address."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3ter_provider.email_identity import email_domain, email_key, mask_email


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
