"""Values that nobody means well with: for every place where the product reads something that others write."""

from __future__ import annotations

import math
import os
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

#: Inputs of each test: few in `make test`, and the same each time; `make fuzz` sets more, and draws others.
EXAMPLES = int(os.environ.get("M3TER_FUZZ_EXAMPLES", "0"))

hostile = settings(
    max_examples=EXAMPLES or 60,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)

_PIECES = st.sampled_from(
    [
        *("\0", "\ud800", "\udfff", "\u202e", "\u2066", "\u200b", "\u200d", "\u0301", "\ufeff", "\u2028", "\ufffe"),
        *("ß", "ﬁ", "İ", "ſ", "😀", "ا", "山", "<", ">", "{{", "}}", "'", '"', ";--", "%s", "\\", "\n", "\t", " "),
        *("@", ".", ":", "/", "=", "+", "a", "Z", "0", "ann@example.com", "https://evil.example/x", "\U0010ffff"),
    ]
)
TEXTS = st.one_of(
    st.text(st.characters(codec=None), max_size=30),
    st.lists(_PIECES, max_size=12).map("".join),
    st.sampled_from(
        [
            *("", " ", "x" * 10_000, "é" * 10_000, "\u0301" * 10_000, "\u202e" * 500, "a@" + "b" * 10_000 + ".com"),
            *("x" * 400 + "@example.com", "ΐ" * 300 + "@example.com", "ﷺ" * 100, "xn--" + "a" * 70, "a@xn--ß.com"),
            *("null", "None", "NaN", "true", "[" * 10_000, "9" * 5000, "-1", "1e999", "../../etc/passwd", "{}", "[]"),
        ]
    ),
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**400), 2**63, 2**64, -(2**63) - 1, 1e308, math.inf, -math.inf, math.nan, 0, -0.0]),
)
DATES = st.sampled_from(
    [
        *(
            "9999-12-31T23:59:59-14:00",
            "0001-01-01T00:00:00+14:00",
            "2026-02-30",
            "2026-13-01T00:00:00Z",
            "99999-01-01",
        ),
        *("2026-11-24T25:00:00Z", "2026-11-24", "2026-11-24T00:00:00Z", "2026-11-24T00:00:00+99:99", "-1-1-1", "0000"),
        *("2026-11-24T00:00:00", "9999-12-31", "0001-01-01", "2026-W48-2", "20261124", "2026-11-24T00:00:00+1"),
    ]
)


def nested(depth: int) -> Any:
    """Return a list within a list, and so on."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


#: What JSON can hold.
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | DATES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
) | st.sampled_from([50, 300]).map(nested)

#: What a driver of a database can return.
DRIVER_VALUES = st.one_of(
    JSON,
    st.binary(max_size=40),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.decimals(),
    st.uuids(),
    st.sampled_from(
        [
            *(date.min, date.max, datetime.min, datetime.max, datetime.max.replace(tzinfo=timezone.utc)),  # noqa: DTZ901
            *(datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), time(), timedelta.max),
            *(Decimal("1e1000000"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-0"), object(), {1}, (1,), b"\xff"),
            *(memoryview(b"x"), bytearray(b"\x00"), complex(1), range(3)),
        ]
    ),
)
