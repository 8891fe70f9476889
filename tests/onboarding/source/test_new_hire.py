from __future__ import annotations

import contextlib
import pickle
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3ter_onboarding.errors import SourceError
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.source.columns import SourceRow, check_columns
from m3ter_onboarding.source.new_hire import NewHire, select_employee, validate_row, validate_rows
from m3ter_onboarding.source.unreadable_values import UnreadText
from m3ter_provider.email_identity import email_key
from tests.support.hire_rows import NOW, row

UTC = timezone.utc


def valid(**values: Any) -> NewHire:
    hire = validate_row(row(**values), default_time_zone="UTC", now=NOW)
    assert isinstance(hire, NewHire), hire
    return hire


def invalid(**values: Any) -> Decision:
    found = validate_row(row(**values), default_time_zone="UTC", now=NOW)
    assert isinstance(found, Decision), found
    assert found.decision == "invalid"
    return found


# -- columns ---------------------------------------------------------------------------------------------------------


def test_columns_are_found_in_any_case_and_order() -> None:
    names = ["LAST_NAME", "Email", "employee_id", "FIRST_NAME", "Start_Date"]
    assert check_columns(names) == ("last_name", "email", "employee_id", "first_name", "start_date")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["employee_id", "first_name", "last_name"], ["lacks email."]),
        (["employee_id"], ["lacks email, first_name, last_name"]),
        (["employee_id", "emial", "first_name", "last_name"], ["lacks email", "'emial' (did you mean email?)"]),
        (["employee_id", "email", "first_name", "last_name", "salary"], ["has 'salary'"]),
        (["employee_id", "email", "first_name", "last_name", "EMAIL"], ["email more than once"]),
        (["employee_id", "email", "first_name", "last_name", "'ann@example.com'"], ["a***@example.com"]),
    ],
)
def test_wrong_columns_are_named(names: list[str], said: list[str]) -> None:
    with pytest.raises(SourceError) as caught:
        check_columns(names)
    for part in [*said, "nothing is sent"]:
        assert part in str(caught.value)
    assert "ann@" not in str(caught.value)
    assert caught.value.retryable is False


def test_a_column_of_a_very_long_name_is_compared_and_quoted_by_its_beginning() -> None:
    with pytest.raises(SourceError) as caught:
        check_columns(["employee_id", "email", "first_name", "last_name", "x" * 10_000])
    assert "x" * 80 in str(caught.value)
    assert "x" * 81 not in str(caught.value)


# -- what is missing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["employee_id", "email", "first_name", "last_name"])
@pytest.mark.parametrize("nothing", [None, "", "  \t\n", "\u00a0", float("nan"), b" "])
def test_a_null_concerns_its_row_alone(column: str, nothing: Any) -> None:
    found = invalid(**{column: nothing})
    assert found.reason == column
    assert found.detail
    assert "missing" in found.detail or "number" in found.detail


def test_optional_columns_may_be_absent_or_null() -> None:
    optional = dict.fromkeys(["contact_number", "permission_policies", "start_date", "access_end_date", "time_zone"])
    assert valid(**optional) == valid()
    assert valid().permission_policies is None


# -- identity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1001, "1001"),
        (1001.0, "1001"),
        (Decimal("1001"), "1001"),
        (Decimal("1001.000"), "1001"),
        (Decimal("1E+3"), "1000"),
        (" A-17 ", "A-17"),
        ("1001.0", "1001.0"),
        ("007", "007"),
        (b"A17", "A17"),
        (memoryview(b"A17"), "A17"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        ("Å", "Å"),
    ],
)
def test_an_employee_id_is_read_from_any_driver(value: Any, text: str) -> None:
    assert valid(employee_id=value).employee_id == text


@pytest.mark.parametrize(
    "value",
    [
        True,
        1.5,
        Decimal("1.5"),
        float("inf"),
        1e300,
        "a\x00b",
        "a\u202eb",
        "a\u200db",
        "x" * 251,
        [1],
        b"\xff",
        object(),
    ],
)
def test_an_unusable_employee_id_is_invalid(value: Any) -> None:
    assert invalid(employee_id=value).reason == "employee_id"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (" Ann.Hire+m3ter@Example.COM\n", "Ann.Hire+m3ter@example.com"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v"),
        ("jürgen@example.com", "jürgen@example.com"),
        ("ju\u0308rgen@example.com", "j\u00fcrgen@example.com"),
        ("ann@example.com\u200b", "ann@example.com"),
        (b"ann@example.com", "ann@example.com"),
    ],
)
def test_addresses_that_are_valid_are_kept(given: Any, sent: str) -> None:
    hire = valid(email=given)
    assert hire.email == sent
    assert hire.email_key == email_key(given if isinstance(given, str) else given.decode())


@pytest.mark.parametrize(
    "address",
    [
        "ann", "ann@", "@example.com", "ann@localhost", "ann@corp.local", "ann@example", "a b@example.com",
        "Ann <ann@example.com>", "ann@example.com, bob@example.com", "ann@example.com\r\nBcc: eve@example.com",
        "ann\x00@example.com", "ann@exam\ud800ple.com", "ann\u202e@example.com", "ann@@example.com",
        "ann@[127.0.0.1]", '"ann"@example.com', ".ann@example.com", "a" * 65 + "@example.com",
        "a@" + "b" * 64 + ".com", "a@" + ".".join(["bcd"] * 80) + ".com", 17, True, 1.5, ["ann@example.com"],
    ],
)  # fmt: skip
def test_addresses_that_are_none_are_invalid(address: Any) -> None:
    found = invalid(email=address)
    assert found.reason == "email"
    assert found.detail
    assert "ann@" not in found.detail
    assert "eve" not in found.detail


# -- names and numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "Ann",
        "Æ",
        "山田",
        "محمد",
        "نگار\u200cین",
        "O'Brien-Šmíd",
        "José María",
        "Na",
        "Nil",
        "X Æ A-12",
        "a" * 100,
        "é" * 100,
        "👩🏽",
    ],
)
def test_names_of_the_whole_world_are_valid(name: str) -> None:
    assert valid(first_name=name, last_name=f" {name} ").last_name == name


def test_length_is_counted_after_composition() -> None:
    assert len(valid(first_name="e\u0301" * 100).first_name) == 100


@pytest.mark.parametrize("column", ["first_name", "last_name"])
@pytest.mark.parametrize(
    "name",
    ["a" * 101, "An\x00n", "An\nn", "An\x1bn", "An\ud800n", "An\u202en", "An\u2066n", "An\u2028n", "\u200d",
     "An\u200bn", "An\U000e0041n", 7, 7.5, True, Decimal(7), ["Ann"], b"\xff"],
)  # fmt: skip
def test_names_that_are_refused(column: str, name: Any) -> None:
    assert invalid(**{column: name}).reason == column


@pytest.mark.parametrize("column", ["first_name", "last_name"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Verify at https://evil.example", "holds a web address."),
        ("<b>", "holds markup (U+003C)."),
        ("ann@evil.example", "holds an e-mail address."),
        ("An\u200dn", "holds an invisible character (U+200D)."),
        ("\u0301", "holds a mark without a letter (U+0301)."),
    ],
)
def test_a_name_that_would_be_a_link_or_a_disguise_is_invalid_and_why(column: str, name: str, said: str) -> None:
    found = invalid(**{column: name})
    assert (found.reason, found.detail) == (column, f"The {column} {said}")


@pytest.mark.parametrize(("value", "text"), [("+44 20 7946 0000", "+44 20 7946 0000"), (447700900123, "447700900123")])
def test_a_contact_number_is_kept_as_text(value: Any, text: str) -> None:
    assert valid(contact_number=value).contact_number == text


@pytest.mark.parametrize("value", ["1" * 51, "1\n2", True, 1.5, {}])
def test_an_unusable_contact_number_is_invalid(value: Any) -> None:
    assert invalid(contact_number=value).reason == "contact_number"


# -- days ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        date(2026, 12, 1),
        datetime(2026, 12, 1, 9, tzinfo=UTC).replace(tzinfo=None), "2026-12-01", " 2026-12-01 ", "2026-12-01 00:00:00",
        "2026-12-01T00:00:00Z", "2026-12-01T00:00:00.000+00:00", "2026-12-01T05:00:00+0000", b"2026-12-01",
        datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 2, 1, tzinfo=timezone(timedelta(hours=14))),
    ],
)  # fmt: skip
def test_a_day_is_read_from_any_driver(value: Any) -> None:
    assert valid(start_date=value).start_date == date(2026, 12, 1)


@pytest.mark.parametrize("value", ["0000-00-00", "0000-00-00 00:00:00", b"0000-00-00"])
def test_the_zero_date_of_mysql_is_no_day(value: Any) -> None:
    assert valid(start_date=value, access_end_date=value).start_date is None


def test_an_instant_is_a_day_where_the_person_is() -> None:
    instant = "2026-12-01T20:00:00Z"
    assert valid(start_date=instant, time_zone="Australia/Sydney").start_date == date(2026, 12, 2)
    assert valid(start_date=instant, time_zone="America/New_York").start_date == date(2026, 12, 1)


@pytest.mark.parametrize("column", ["start_date", "access_end_date"])
@pytest.mark.parametrize(
    "value",
    ["01/12/2026", "2026-13-01", "2026-02-30", "tomorrow", "20261201", 20261201, 1.5, True, "0001-01-01", "9000-01-01",
     "2026-12-01T99:00", ["2026-12-01"], datetime.min.replace(tzinfo=UTC), "12026-1-01", "-infinity", float("-inf"),
     "0044-03-15 BC", "12026-01-01 BC", "-12026-01-01", "infinity BC", "9998-12-31", "N/A", Decimal("-Infinity")],
)  # fmt: skip
def test_a_date_that_is_no_day_is_invalid(column: str, value: Any) -> None:
    found = invalid(**{column: value})
    assert found.reason == "dates"
    assert "write " not in (found.detail or "")  # nobody is told to enter the day of the example


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"])
@pytest.mark.parametrize(
    "value",
    ["9999-12-31", date.max, datetime.max, datetime.max.replace(tzinfo=UTC), "9999-12-31T23:59:59.999999Z",  # noqa: DTZ901
     "9999-12-31 00:00:00+00", "9999-12-31 00:00:00.000 +0000", "9999-12-31 00:00:00 UTC",
     datetime(9999, 12, 31, tzinfo=timezone(timedelta(hours=14))).astimezone(UTC),
     datetime(9999, 12, 31, tzinfo=timezone(timedelta(hours=-12))), "infinity", "Infinity", "+inf", float("inf"),
     Decimal("Infinity"), "10000-01-01", "12026-01-01", "+12026-01-01T00:00:00Z", "294276-12-31 23:59:59.999999+00",
     b"infinity"],
)  # fmt: skip
def test_an_open_end_is_none_however_it_is_written(value: Any, zone: str) -> None:
    assert valid(access_end_date=value, time_zone=zone).access_ends_at is None
    excluded = valid(exclude="parental leave", exclude_until=value, time_zone=zone).exclusion
    assert excluded is not None
    assert excluded.until is None
    assert invalid(start_date=value, time_zone=zone).detail == "The start_date is out of range."


@pytest.mark.parametrize(
    ("day", "zone", "ends"),
    [
        # Sydney puts its clocks back on 4 April 2027 and forward on 4 October 2026; New York on 14 March 2027.
        ("2027-04-03", "Australia/Sydney", "2027-04-03T12:59:59.999"),
        ("2027-04-04", "Australia/Sydney", "2027-04-04T13:59:59.999"),
        ("2027-03-13", "America/New_York", "2027-03-14T04:59:59.999"),
        ("2027-03-14", "America/New_York", "2027-03-15T03:59:59.999"),
        ("2027-03-14", "UTC", "2027-03-14T23:59:59.999"),
        ("2027-06-30", "Asia/Kathmandu", "2027-06-30T18:14:59.999"),
        # Midnight does not exist: Cairo's clocks go forward at 00:00 on 30 April 2027.
        ("2027-04-29", "Africa/Cairo", "2027-04-29T21:59:59.999"),
    ],
)
def test_access_ends_with_the_last_local_day(day: str, zone: str, ends: str) -> None:
    expected = datetime.fromisoformat(ends).replace(tzinfo=UTC)
    assert valid(access_end_date=day, time_zone=zone).access_ends_at == expected
    assert expected.isoformat(timespec="milliseconds") == ends + "+00:00"


def test_an_access_end_that_is_none_is_left_out() -> None:
    assert valid(access_end_date=date(9999, 12, 31)).access_ends_at is None
    assert invalid(start_date=date(9999, 12, 31)).reason == "dates"


@pytest.mark.parametrize("flaw", [{"email": "x"}, {"first_name": ""}, {"employee_id": None}, {"time_zone": "Mars"}])
def test_the_first_day_of_an_unusable_row_is_known(flaw: dict[str, Any]) -> None:
    assert invalid(start_date="2026-12-01", **flaw).start_date == date(2026, 12, 1)
    assert invalid(start_date="soon", **flaw).start_date is None


def test_ends_that_make_no_sense() -> None:
    assert "before the start_date" in (invalid(start_date="2026-12-02", access_end_date="2026-12-01").detail or "")
    assert "in the past" in (invalid(access_end_date="2026-11-23").detail or "")
    assert valid(start_date="2026-11-24", access_end_date="2026-11-24").access_ends_at is not None
    # At noon in UTC the day is over on the Line Islands, and not in Samoa.
    assert invalid(access_end_date="2026-11-24", time_zone="Pacific/Kiritimati").reason == "dates"
    assert valid(access_end_date="2026-11-24", time_zone="Pacific/Pago_Pago").access_ends_at is not None


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe", "../etc/passwd", "/etc/localtime", "", "GMT+1\x00", 5])
def test_time_zones_that_do_not_exist_are_invalid(zone: Any) -> None:
    if zone == "":
        assert valid(time_zone=zone).time_zone == "UTC"
    else:
        assert invalid(time_zone=zone).reason == "time_zone"


# -- what pasting and exporting leave behind -------------------------------------------------------------------------

JOINERS = "\u200c\u200d"
MARKS = tuple("\u200e\u200f\u061c\u2068\u202c\u200b\u200c\u200d\u2060\ufeff\xad\u180e")


@pytest.mark.parametrize("mark", MARKS)
def test_marks_that_nobody_sees_are_taken_from_both_ends_of_every_value(mark: str) -> None:
    plain = {
        "employee_id": "A-17",
        "email": "ann@example.com",
        "first_name": "Ann",
        "last_name": "Hire",
        "contact_number": "+44 20 7946 0000",
        "permission_policies": "Viewer",
        "start_date": "2026-12-01",
        "access_end_date": "2026-12-31",
        "time_zone": "Europe/London",
        "exclude": "leave",
        "exclude_until": "2026-12-05",
    }
    around = {name: f" {mark}{mark} {value}{mark} {mark}" for name, value in plain.items()}
    assert valid(**around) == valid(**plain)
    nothing = dict.fromkeys(set(plain) - {"employee_id", "email", "first_name", "last_name"}, f" {mark}")
    assert valid(**nothing) == valid()
    for column in ("employee_id", "email", "first_name", "last_name"):
        assert invalid(**{column: mark * 2}).detail == f"The {column} is missing."


@pytest.mark.parametrize("mark", MARKS)
def test_marks_inside_are_judged_by_the_field(mark: str) -> None:
    assert valid(contact_number=f"+44{mark}20 7946 0000").contact_number == "+4420 7946 0000"
    if mark in JOINERS:
        assert valid(exclude=f"on{mark}leave").exclusion is not None
    else:
        assert invalid(exclude=f"on{mark}leave").reason == "exclude"
    assert invalid(employee_id=f"A{mark}17").reason == "employee_id"
    assert invalid(email=f"an{mark}n@example.com").reason == "email"
    assert invalid(first_name=f"An{mark}n").reason == "first_name"
    assert invalid(start_date=f"2026{mark}-12-01").reason == "dates"
    assert invalid(time_zone=f"Europe/{mark}London").reason == "time_zone"


@pytest.mark.parametrize(
    "word", ["N/A", "n/a", "None", "NULL", "null", "-", "unknown", " Unknown\u200e", "#N/A", "NaN"]
)
def test_a_word_for_nothing_is_no_name_and_no_id(word: str) -> None:
    for column in ("employee_id", "first_name", "last_name"):
        found = invalid(**{column: word})
        assert found.reason == column
        assert found.detail == (
            f"The {column} is a word for a missing value; if it is meant, take it out of `placeholders`."
        )
    assert valid(contact_number=word).contact_number is None


def test_words_for_nothing_are_those_of_the_setting() -> None:
    rows = [row(1, last_name="Null"), row(2, last_name="UNBEKANNT ")]
    for words, usable in ((["unbekannt"], [True, False]), ([], [True, True]), (["null"], [False, True])):
        validated = validate_rows(rows, default_time_zone="UTC", now=NOW, placeholders=words)
        assert [isinstance(one, NewHire) for one in validated] == usable


# -- policies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("Viewer", ("Viewer",)),
        ("Viewer, Analyst;Viewer ;", ("Viewer", "Analyst")),
        ('["Sales, EMEA", "Viewer"]', ("Sales, EMEA", "Viewer")),
        (["Viewer", " Analyst "], ("Viewer", "Analyst")),
        (("Viewer",), ("Viewer",)),
        (b"Viewer", ("Viewer",)),
        ("[]", None),
        (" ; ,", None),
        ([], None),
        ([None], None),
        ([None, "Viewer", float("nan")], ("Viewer",)),
        ('[null, "Viewer"]', ("Viewer",)),
        ("{NULL}", None),
        ("{}", None),
        ('{Viewer,NULL,"Sales, EMEA","say \\"hi\\""}', ("Viewer", "Sales, EMEA", 'say "hi"')),
        ("\ufeff[]\u200e", None),
        ("\u200eViewer\u200f; Analyst\ufeff", ("Viewer", "Analyst")),
        (Decimal("NaN"), None),
    ],
)
def test_policies_of_a_row_are_read_in_every_form(value: Any, names: tuple[str, ...] | None) -> None:
    assert valid(permission_policies=value).permission_policies == names


@pytest.mark.parametrize("value", ["[Viewer]", "[1]", [1], 7, {"a": 1}, "[" * 5000, True])
def test_unusable_policies_are_invalid(value: Any) -> None:
    assert invalid(permission_policies=value).reason == "policy"


# -- for the record --------------------------------------------------------------------------------------------------


def test_a_bad_row_can_be_recorded_in_any_ledger() -> None:
    found = invalid(employee_id="E\x00\ud800" + "x" * 400, email="a\x00\udfff@" + "x" * 400)
    for text in (found.employee_id, found.email, found.email_key):
        assert text is not None
        text.encode("utf-8")
        assert "\x00" not in text
        assert len(text) <= 320


def test_nobody_is_named_in_a_repr() -> None:
    texts = [repr(row(email="ann@example.com", first_name="Zaphod")), repr(valid(first_name="Zaphod"))]
    texts.append(repr(invalid(email="zaphod", last_name="Beeblebrox")))
    for text in texts:
        assert "ann" not in text.lower()
        assert "zaphod" not in text.lower()
        assert "hire1" not in text.lower()


_ANYTHING = st.one_of(
    st.none(), st.text(), st.integers(), st.floats(), st.booleans(), st.binary(), st.dates(), st.datetimes(),
    st.decimals(), st.lists(st.text(), max_size=3), st.datetimes(timezones=st.timezones()), st.uuids(),
    st.text(alphabet=st.characters(codec=None, categories=["Cs", "Cc", "Cf", "Ll"])),
)  # fmt: skip
_COLUMNS = ["employee_id", "email", "first_name", "last_name", "contact_number", "permission_policies", "start_date",
            "access_end_date", "time_zone"]  # fmt: skip


@given(st.fixed_dictionaries(dict.fromkeys(_COLUMNS, _ANYTHING)))
def test_validation_survives_any_row(values: dict[str, Any]) -> None:
    found = validate_row(SourceRow(1, values), default_time_zone="UTC", now=NOW)
    assert isinstance(found, (NewHire, Decision))
    pickle.dumps(found)


@given(column=st.sampled_from(_COLUMNS), value=_ANYTHING)
def test_validation_survives_any_value_in_a_valid_row(column: str, value: Any) -> None:
    found = validate_row(row(**{column: value}), default_time_zone="UTC", now=NOW)
    if isinstance(found, Decision):
        assert found.reason == {"permission_policies": "policy", "start_date": "dates", "access_end_date": "dates"}.get(
            column, column
        )
        (found.email or "").encode()


_JUNK = st.text(alphabet=st.sampled_from("@.<>,;:'\"()[] \t\n\x00\u200b\u202eéß…\ud800ab1-_+"), max_size=12)


@given(column=st.sampled_from(_COLUMNS), before=_JUNK, after=_JUNK)
def test_an_invalid_value_is_named_without_quoting_it(column: str, before: str, after: str) -> None:
    found = validate_row(row(**{column: f"{before}zaphod{after}"}), default_time_zone="UTC", now=NOW)
    if isinstance(found, Decision):
        assert found.detail
        assert "zaphod" not in found.detail.lower()


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"email": "ann(at)example.com"}, "ann(at)example.com"),
        ({"last_name": "https://x.example"}, "https://x.example"),
        ({"access_end_date": date(2019, 1, 1)}, "2019-01-01"),
        ({"exclude": "yes", "exclude_until": "soon"}, "soon"),
        ({"permission_policies": 7.5}, "7.5"),
        ({"contact_number": "1" * 500}, "1" * 400),
        ({"first_name": None}, None),
    ],
)
def test_an_invalid_row_keeps_what_is_wrong_and_whose_it_is(values: dict[str, Any], wrong: str | None) -> None:
    found = invalid(**values)
    assert found.wrong_value == wrong
    names = {"first_name": "Ann", "last_name": "Hire1", **values}
    assert found.person_name == " ".join(name for name in (names["first_name"], names["last_name"]) if name)
    for said in ("Ann", wrong or "Ann"):
        assert said not in repr(found)


def test_a_row_that_names_nobody_keeps_no_name() -> None:
    found = invalid(employee_id=None, email=None)
    assert (found.person_name, found.wrong_value) == (None, None)


# -- one employee ----------------------------------------------------------------------------------------------------


def test_f23_one_employee_alone() -> None:
    rows = [row(1, employee_id=1001), row(2, employee_id="1001"), row(3, employee_id="10011"), row(4, employee_id=None)]
    validated = validate_rows(rows, default_time_zone="UTC", now=NOW)
    assert [found.row_no for found in select_employee(validated, " 1001 ")] == [1, 2]


def test_f23_an_invalid_row_of_the_employee_is_kept_and_an_unusable_employee_id_is_nobodys() -> None:
    rows = [row(1, employee_id="1001", email="nonsense"), row(2, employee_id="1001\n2"), row(3, employee_id="x" * 251)]
    validated = validate_rows(rows, default_time_zone="UTC", now=NOW)
    assert [found.row_no for found in select_employee(validated, "1001")] == [1]
    assert select_employee(validated, "1001\N{REPLACEMENT CHARACTER}2") == []
    assert select_employee(validated, "x" * 250) == []


# -- what is read before is read the same again ------------------------------------------------------------------------


@given(st.text(max_size=20) | st.sampled_from(["Ann", "n/a", "www.evil.com", "O'Family", " Ann ", "x" * 101, "\ud800"]))
def test_a_name_is_judged_the_same_each_time_and_in_each_place(name: str) -> None:
    def judged(**values: Any) -> tuple[Any, ...]:
        found = validate_row(row(**values), default_time_zone="UTC", now=NOW)
        if isinstance(found, Decision):
            return "invalid", found.reason, found.detail
        return "hire", found.first_name, found.last_name

    for column in ("first_name", "last_name"):
        first, bytewise = judged(**{column: name}), None
        with contextlib.suppress(UnicodeEncodeError):
            bytewise = judged(**{column: name.encode()})  # bytes are read anew each time
        assert judged(**{column: name}) == first
        assert bytewise in (None, first)


def test_a_name_that_its_driver_could_not_read_is_no_name_although_somebody_is_called_so() -> None:
    valid(first_name="2026-02-30")
    assert invalid(first_name=UnreadText("2026-02-30")).reason == "first_name"


def test_a_word_is_a_name_where_it_stands_for_nothing_missing() -> None:
    def first_name(placeholders: tuple[str, ...]) -> str:
        (found,) = validate_rows([row(first_name="Null")], default_time_zone="UTC", now=NOW, placeholders=placeholders)
        return found.first_name if isinstance(found, NewHire) else found.name

    assert [first_name(("null",)), first_name(("none",)), first_name(("null",))] == [
        "invalid:first_name",
        "Null",
        "invalid:first_name",
    ]
