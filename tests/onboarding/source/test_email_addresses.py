"""The short way by which a plain address is judged says what the library says, of every text."""

from __future__ import annotations

import string

import pytest
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES
from hypothesis import given, settings
from hypothesis import strategies as st

from m3ter_onboarding.source.email_addresses import judged_address, sendable_address

DOMAINS = (
    *(
        "example.com",
        "EXAMPLE.com",
        "sub.example.co.uk",
        "xn--bcher-kva.example",
        "XN--BCHER-KVA.example",
        "b\u00fccher.example",
    ),
    *(
        "localhost",
        "a.local",
        "x.test",
        "invalid",
        "a.onion",
        "example.com.",
        ".example.com",
        "a..b.com",
        "-a.com",
        "a-.com",
    ),
    *("a_b.com", "1.2.3.4", "[1.2.3.4]", "com", "a.b", "xn--a.com", "ab--cd.com", f"{'d' * 63}.com", f"{'d' * 64}.com"),
    *(".".join(["d" * 60] * 4), ".".join(["d" * 60] * 3 + ["d" * 8, "com"]), "example.com\n", "ex ample.com", ""),
)
LOCALS = (
    *("ann", "Ann.Lee", "a", "a.b.c", ".a", "a.", "a..b", "a+tag", "o'brien", "#!$%&'*+-/=?^_`{|}~", '"quoted"', "a b"),
    *("postmaster", "PostMaster", "abuse", "Admin", "x" * 64, "x" * 65, "jos\u00e9", "ann\n", "", "a@b", "\u00e4" * 32),
)


def said(judge: object, text: str) -> str:
    try:
        return str(judge(text))  # type: ignore[operator]
    except ValueError as reason:
        return f"refused: {reason}"


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_short_way_agrees_about_every_kind_of_address(domain: str) -> None:
    for local in (*LOCALS, *CASE_INSENSITIVE_MAILBOX_NAMES):
        text = f"{local}@{domain}"
        assert said(sendable_address, text) == said(judged_address, text)


plain = st.text(string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~.-", min_size=1, max_size=70)
labels = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=64)
domains = st.lists(labels, min_size=1, max_size=5).map(".".join) | st.sampled_from(DOMAINS)


@settings(max_examples=400)
@given(local=plain | st.text(max_size=12), domain=domains | st.text(max_size=12))
def test_the_short_way_agrees_about_drawn_addresses(local: str, domain: str) -> None:
    text = f"{local}@{domain}"
    assert said(sendable_address, text) == said(judged_address, text)


@settings(max_examples=200)
@given(st.emails() | st.text(max_size=40))
def test_the_short_way_agrees_about_whatever_stands_there(text: str) -> None:
    assert said(sendable_address, text) == said(judged_address, text)
